"""Sources of a setting's text: the ini, its variables and the files that it names.

Only the reader and the key file of the room above call it.
"""
