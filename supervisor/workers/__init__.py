"""Worker processes: fork, talk, watch, end.

Connections ask the fleet; nobody else knows a pid.
"""
