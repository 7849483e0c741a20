"""What somebody should know now: states that keep rules uncollected, and what may lead to that.

`finder` says what there is, `watch` when it begins and ends. The log's lines and the status come from here.
"""
