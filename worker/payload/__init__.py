"""Tweets in the form of v1.1, rebuilt from posts of API v2; pure.

The pipeline for posts decodes lines by `source`, and the dispatch calls `rebuild`, where the operator wants
the old form.
"""
