"""The connections that X counts for an app (v2): which of them are a dead worker's, and their end.

Connections tell it of their connects and of an app whose connection is taken; the master runs its job.
"""
