"""Worker processes: fork them, exchange messages, watch and end them.

Connections ask the fleet; nothing else knows a pid.
"""
