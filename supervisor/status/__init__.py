"""The state of everything: for status.json, the control socket, the log and the terminal.

The master asks for it; it changes nothing.
"""
