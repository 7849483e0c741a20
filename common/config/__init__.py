"""Turn what an operator writes into settings: the ini, the key file, and the table of all options.

Master and command lines read it through `reader`; workers get their share of the settings with their birth.
"""
