"""What the value of an option may be, and how its text is read: durations, sizes, URLs, groups.

Only the sections of the room above call it.
"""
