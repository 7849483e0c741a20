"""The Redis side of rules: hints, looks, snapshots, and whether missing rules are gone.

The master's jobs call it; the planner takes its snapshots.
"""
