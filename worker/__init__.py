"""One connection: stream, match, enrich, deliver.

The supervisor calls `entry` in a forked process, and no other file of it.
"""
