"""Rules: as they stand in Redis, normalised, and as connections carry them; pure.

The master reads them; workers match by them.
"""
