"""The making of tweets: for which value, in which form, with which filling.

The timeline calls `maker`.
"""
