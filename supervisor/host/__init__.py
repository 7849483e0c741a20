"""The host around the master: what it inherits, its files as they change, log rotation, who reads stdout.

The command line and the master call it.
"""
