"""The sandbox's X API v2: rule language, posts, and what they cost.

The server puts it together; `language` judges filters, `posts` renders tweets, `bill` counts the cost.
"""
