"""The rules that a tweet matches, by Twitter's documented semantics; pure.

The pipeline calls `matcher`.
"""
