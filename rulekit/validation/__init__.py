"""Validation of rules before they are anybody's: keywords, hashtags, users, boxes, polygons; pure.

The commands and the HTTP service ask `judge`; `legacy` answers in the shapes of the original's Manager API.
"""
