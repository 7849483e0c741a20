"""X's rule language: the meaning of a filter's value, and the posts that it matches; pure.

`rule` reads a value, `index` finds the filters of a post, `facts` holds what a post says.
"""
