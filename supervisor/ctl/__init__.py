"""The command `traptorctl`: what an operator sees and does at a terminal.

It talks to a supervisor through its API only. Nothing else calls it, and the master never imports it.
"""
