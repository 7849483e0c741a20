"""The making of tweets: for which value, in which form, with which filler.

The timeline calls `maker`.
"""
