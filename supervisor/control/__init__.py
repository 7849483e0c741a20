"""The control socket: HTTP for programs that ask for the supervisor's state.

The master starts the server; the handlers read, and change nothing.
"""
