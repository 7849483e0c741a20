"""Clients of Redis, their replies checked for their form, and how Redis stands with each.

The master's readers and the workers' counters make their clients here, and nowhere else.
"""
