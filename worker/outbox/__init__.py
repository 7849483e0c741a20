"""The outbox of a connection on disk, one store per generation.

Delivery puts messages in, takes them out, and adopts what dead generations left.
"""
