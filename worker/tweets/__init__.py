"""Messages of the stream: their kind, what matching needs of a tweet, and the member `traptor`; pure.

The pipeline calls it.
"""
