"""Open v2 streams: the posts that they receive, the slots that they hold, and the faults that strike them.

The timeline passes tweets to `audience`; the endpoints open and end streams.
"""
