"""Faults of the sandbox's X API v2 on demand, and the lines of a stream that are no posts.

Endpoints and streams ask what strikes them; the admin API gives orders.
"""
