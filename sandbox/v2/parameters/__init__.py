"""Query parameters of X's endpoints: names, numbers, choices, times, and the pages of a list.

Whatever answers a request of X's API reads them here.
"""
