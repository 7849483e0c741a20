"""What the master and its workers share."""

__version__ = "0.1.0"
