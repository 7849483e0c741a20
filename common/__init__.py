"""Code that the master and its workers share.

Both import it; it imports nothing of theirs.
"""

__version__ = "0.1.0"
