"""The HTTP side of the rule kit: validation, in our form and in the original's.

The supervisor's API mounts the routes of `validation` and `manager`, and says what only it knows.
"""
