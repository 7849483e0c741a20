"""Which rules go to which part of a group; pure.

The master's planner calls it.
"""
