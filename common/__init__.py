"""Code that the master and its workers share.

Both import it; it imports neither.
"""

__version__ = "0.1.0"
