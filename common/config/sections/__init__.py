"""The sections of traptor.ini and all their options: the one place where an option is declared.

Everybody reads the settings by these sections; `table` lists all options for the reader, the samples and the
checks.
"""
