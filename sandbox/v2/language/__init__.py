"""X's rule language: what a filter's value means, and which posts it finds.

`rule` reads a value, `facts` holds what a post says, `index` finds the filters of a post.
"""
