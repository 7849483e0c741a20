"""Sources of rules: files in several forms, and SQL databases, read row by row with memory flat.

The commands open one by `opening`; every row is a rule's fields or the reason why it is none.
"""
