"""Faults on demand, and plans that let them strike by a seed.

Streams and the API call it.
"""
