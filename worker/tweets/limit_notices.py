"""Count the tweets that the server withheld, from its limit notices."""

from __future__ import annotations


class LimitNotices:
    """Turns the notices of one connection into newly withheld tweets.

    A notice carries the total since the connection opened. Several threads of the server count separately and
    their notices interleave, so totals may fall: only the excess over the highest total so far is new.
    """

    def __init__(self) -> None:
        self._highest = 0

    def reset(self) -> None:
        """Start again at zero; call this at every connect."""
        self._highest = 0

    def newly_withheld(self, total: int) -> int:
        """Return how many more tweets this notice reports than earlier ones."""
        new = max(0, total - self._highest)
        self._highest += new
        return new
