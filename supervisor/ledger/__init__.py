"""The gap ledger: every second of every connection and rule, kept on disk and mirrored to Redis.

The master's loop reports to the book; the control socket queries it.
"""
