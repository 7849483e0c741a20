"""The v1.1 side: accounts, `statuses/filter`, its streams, and the faults that strike them.

The server puts it together.
"""
