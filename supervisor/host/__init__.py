"""The master's environment: what it inherits, its files as they change, log rotation, the reader of stdout.

The command line and the master call it.
"""
