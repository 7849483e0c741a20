"""The outbox of a connection on disk, one store per generation.

Delivery puts messages in and takes them out; the drainer adopts what others left.
"""
