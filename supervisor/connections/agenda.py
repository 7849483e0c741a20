"""Decide which connections the next step looks at: those named by events, those whose time has come, or all.

An event that names too few does no lasting harm: the timer has all of them looked at every ten seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from traptor.common.timing.moments import Moments


class Agenda:
    """Collects, between two steps, what the next one must look at."""

    def __init__(self) -> None:
        self._is_all = True  # nothing was looked at yet
        self._named: set[str] = set()
        self._due = Moments()

    def next_at(self, now: float) -> float | None:
        """Return when the next look is due without a further event: `now` if one is already requested."""
        return now if self._is_all or self._named else self._due.earliest

    def look_at_all(self) -> None:
        """Make the next step look at every connection."""
        self._is_all = True

    def look_at(self, names: Iterable[str]) -> None:
        """Make the next step look at these connections."""
        self._named.update(names)

    def due(self, name: str, at: float | None) -> None:
        """Make a connection due at `at`; None: no time is known."""
        self._due.add(name, at)

    def looked_at(self, name: str) -> None:
        """Clear the due time of a connection that is being looked at; the look sets a new one."""
        self._due.set(name, None)

    def take(self, now: float) -> frozenset[str] | None:
        """Return the connections to look at now, None for all, and start collecting afresh."""
        named = None if self._is_all else frozenset([*self._named, *self._due.take(now)])
        self._is_all = False
        self._named.clear()
        return named
