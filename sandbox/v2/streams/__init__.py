"""Open v2 streams: the posts that they get, the slots that they hold, and the faults that strike them.

The timeline hands tweets to `audience`; the endpoints open and end streams.
"""
