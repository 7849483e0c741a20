"""The control socket: HTTP for those who ask how things are.

The master starts the server; the handlers read, and change nothing.
"""
