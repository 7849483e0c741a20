"""States that an operator should know of now: what keeps rules uncollected, and what may lead to that.

`finder` finds them, `watch` tells when they begin and end. The log's lines and the status come from here.
"""
