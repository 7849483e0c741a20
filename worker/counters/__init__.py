"""What was matched and withheld, counted and written to Redis once a second.

The pipeline counts; losing a count harms nothing.
"""
