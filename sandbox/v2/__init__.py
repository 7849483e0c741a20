"""The sandbox's X API v2: rule language, posts, bill and service.

`language` judges filters, `posts` renders the timeline's tweets as X does, `bill` counts what they cost.
"""
