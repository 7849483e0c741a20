"""How many tweets the server withheld, from its limit notices."""

from __future__ import annotations


class LimitNotices:
    """Turns the notices of one connection into newly withheld tweets.

    A notice carries the total since the connection opened. Several threads of the server count for themselves
    and their notices interleave, so totals may fall: only what exceeds the highest total so far is new.
    """

    def __init__(self) -> None:
        self._highest = 0

    def reset(self) -> None:
        """Begin again at zero; to be called at every connect."""
        self._highest = 0

    def newly_withheld(self, total: int) -> int:
        """Return how many more tweets this notice reports than the ones before."""
        new = max(0, total - self._highest)
        self._highest += new
        return new
