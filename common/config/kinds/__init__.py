"""Kinds of option values and how their text is read: durations, sizes, URLs, groups.

Only the sections of the room above call it.
"""
