"""What an app costs: its account, held against the operator's caps, and X's own count.

The `App` owns one of each, tells the account what was read, and asks whether its stream may be open.
"""
