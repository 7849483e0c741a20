"""What a line of the stream is, and the member `traptor` that a tweet gets; pure.

The pipeline calls it.
"""
