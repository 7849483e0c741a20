"""Log lines: their format, the files they go to, and the masking of secrets.

Everybody logs with `event.fields`; only the entry points of master and worker set logging up.
"""
