"""What `--check` and `--plan` find out: about this host, Redis, the keys, and a supervisor that runs here.

Nothing here writes anything. The two commands call it; the master does not.
"""
