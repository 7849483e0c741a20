"""Counts of matched and withheld tweets, written to Redis once a second.

The pipeline counts; losing a count does no harm.
"""
