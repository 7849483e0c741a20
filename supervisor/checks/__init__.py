"""Findings of `--check` and `--plan` about this host, Redis, the keys, and a supervisor running here.

Nothing here writes anything. The two commands call it; the master does not.
"""
