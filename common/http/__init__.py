"""Requests to X that end in time, however their bytes trickle.

Workers open their streams with it, and rule tools ask X.
"""
