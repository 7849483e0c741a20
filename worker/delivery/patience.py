"""Decide since when an output has confirmed nothing of what waits for it. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Front(NamedTuple):
    """The oldest batch that waits for the output's confirmation, and how many of its messages do."""

    batch: object
    left: int


class Patience:
    """Watches the front of what waits for an output, which moves as long as the output works, however slowly.

    Later messages may be confirmed meanwhile: one part of an output, such as a partition, can be stuck alone.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._front: Front | None = None
        self._since = 0.0

    def look(self, front: Front | None, now: float) -> None:
        """Record where the front is now; None: nothing waits."""
        if front != self._front:
            self._front, self._since = front, now

    def overdue_since(self, now: float) -> float | None:
        """Return since when the front stands still, once that is too long."""
        if self._front is None or now - self._since < self._timeout_s:
            return None
        return self._since
