"""Apps at X (v2 only): which filters each should have, the sync that keeps them so, and what each may cost.

The master runs one `App` for each key; connections ask it whether, with what and for which rules to connect.
"""
