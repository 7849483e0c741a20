"""Searches of the archive: the request, the posts that a query finds, and the pages of them.

The service gives `endpoint` its route.
"""
