"""Writing of streams: queue, bytes, HTTP framing, and the ways in which a socket ends.

Both APIs call it; it knows neither accounts nor filters.
"""
