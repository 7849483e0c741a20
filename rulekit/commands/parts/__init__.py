"""Parts that several commands share: the ini, sources, changes under the lock, tables.

The commands of the room above call it.
"""
