"""The history of each connection, by the supervisor's own account. Pure.

All times are seconds of this host's monotonic clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of intervals, named as in the ledger."""

    STREAMING = "streaming"
    GAP = "gap"
    UNPLANNED = "unplanned"


@dataclass(frozen=True, slots=True)
class Entry:
    """One interval of the ledger."""

    connection: str
    kind: Kind
    cause: str  # of gaps; otherwise empty
    since: float
    until: float
    seconds: float  # as counted by the ledger


class Timelines:
    """The ledger's intervals by connection, in order."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        for entry in sorted(entries, key=lambda entry: entry.since):
            self._entries[entry.connection].append(entry)
        self._gaps = {name: _Spans(_gaps(entries)) for name, entries in self._entries.items()}

    def __iter__(self) -> Iterator[tuple[str, list[Entry]]]:
        return iter(sorted(self._entries.items()))

    def of(self, connection: str) -> list[Entry]:
        """Return the intervals of one connection."""
        return self._entries.get(connection, [])

    def in_gap(self, connection: str, at: float) -> bool:
        """Tell whether the ledger has a gap at that time."""
        return connection in self._gaps and self._gaps[connection].hold(at)

    def gap_seconds(self) -> dict[str, dict[str, float]]:
        """Return the seconds in gaps by connection and cause."""
        seconds: dict[str, dict[str, float]] = {}
        for name, entries in self:
            causes = seconds.setdefault(name, {})
            for gap in _gaps(entries):
                causes[gap.cause] = round(causes.get(gap.cause, 0.0) + gap.seconds, 3)
        return seconds


class _Spans:
    """Finds the interval that contains a time; intervals do not overlap."""

    def __init__(self, entries: list[Entry]) -> None:
        self._since = [entry.since for entry in entries]
        self._until = [entry.until for entry in entries]

    def hold(self, at: float) -> bool:
        place = bisect_right(self._since, at) - 1
        return place >= 0 and at <= self._until[place]


def _gaps(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind is Kind.GAP]
