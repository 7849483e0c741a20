"""The master's files, and the locks that make it the only one.

Master, pool and fleet call it.
"""
