"""Which connections the next step looks at: those that an event names, those whose time has come, or all.

An event that names too few does no harm for long: the timer has all of them looked at every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from traptor.common.moments import Moments


class Agenda:
    """Collects between two steps what the next one is about."""

    def __init__(self) -> None:
        self._is_all = True  # nothing was looked at yet
        self._named: set[str] = set()
        self._due = Moments()

    def next_at(self, now: float) -> float | None:
        """Return when the next look is due without any further event: `now` if one is called for already."""
        return now if self._is_all or self._named else self._due.earliest

    def look_at_all(self) -> None:
        """Have the next step look at every connection."""
        self._is_all = True

    def look_at(self, names: Iterable[str]) -> None:
        """Have the next step look at these connections."""
        self._named.update(names)

    def due(self, name: str, at: float | None) -> None:
        """Have a connection looked at when `at` has come; None: no time is known."""
        self._due.add(name, at)

    def looked_at(self, name: str) -> None:
        """A connection is being looked at: when it is due again will follow from that."""
        self._due.set(name, None)

    def take(self, now: float) -> frozenset[str] | None:
        """Return the connections to look at now, None for all, and begin to collect anew."""
        named = None if self._is_all else frozenset([*self._named, *self._due.take(now)])
        self._is_all = False
        self._named.clear()
        return named
