"""Faults of the sandbox's X API v2 on demand, and the lines of a stream that are not posts.

Endpoints and streams ask which faults strike them; the admin API gives orders.
"""
