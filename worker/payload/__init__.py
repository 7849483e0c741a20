"""Tweets in the form of v1.1, rebuilt from posts of API v2; pure.

The dispatch of posts calls `rebuild` where the operator wants the old form.
"""
