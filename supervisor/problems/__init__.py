"""What an operator should know of now: what keeps rules uncollected, and what may lead to that.

`finder` derives the list from the status, `board` keeps when each began. The log and all views show it.
"""
