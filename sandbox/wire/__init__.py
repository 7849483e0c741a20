"""How any stream of the sandbox is written: queue, bytes, HTTP framing, and the ways in which sockets end.

Both APIs use this room; it knows neither accounts nor filters.
"""
