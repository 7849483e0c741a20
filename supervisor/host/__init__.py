"""The master's environment: what it inherits, its files as they change, rotation, stdout's reader, systemd.

The command line and the master call it.
"""
