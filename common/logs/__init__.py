"""Log lines: their form, the files they go to, and what must never be in them.

Everybody logs with `event.fields`; only the entry points of master and worker set logging up.
"""
