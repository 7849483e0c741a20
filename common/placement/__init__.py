"""The distribution of a group's rules over its parts; pure.

The master's planner calls it.
"""
