"""The sandbox's X API v2: its service, rule language, posts, and what they cost.

The server calls `service`; `language` judges filters, `posts` renders tweets, `bill` counts the cost.
"""
