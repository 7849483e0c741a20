"""A client of X API v2 for what the master asks: filters, connections, usage, bearer tokens.

The sync of filters, the keys and the checks call it; workers open the stream on their own.
"""
