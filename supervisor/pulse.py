"""Decide which groups are due for a heartbeat, which missed one, and whose heartbeat somebody else writes.

Pure decisions: the time is passed in, in monotonic seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from traptor.common.rules.rule import GroupId

LIFETIMES = 1.5
"""A heartbeat expires after so many intervals."""
_FOREIGN_LOOKS = 2
"""One may be our own that came back, as when Redis was restored from a dump."""
_FOREIGN_LASTS = 10
"""Intervals that another writer is remembered for."""
_ROUNDING_S = 0.05


@dataclass(frozen=True, slots=True)
class Sent:
    """A heartbeat as written; `answered_at` is when Redis had certainly stored it."""

    value: bytes
    lifetime_s: float
    answered_at: float


@dataclass(frozen=True, slots=True)
class Found:
    """The heartbeat of a group as it is in Redis."""

    value: bytes
    remaining_s: float

    def is_of_another(self, sent: Sent, asked_at: float) -> bool:
        """Tell whether it cannot be the one that was sent: another value, or too long a lifetime."""
        at_most_s = sent.lifetime_s - (asked_at - sent.answered_at)
        return self.value != sent.value or self.remaining_s > at_most_s + _ROUNDING_S


@dataclass(slots=True)
class _Beat:
    """One group's last beat, and since when it is silent (monotonic seconds)."""

    written_at: float | None = None
    sent: Sent | None = None  # None: unknown whether it was written
    foreign_looks: int = 0  # in a row
    foreign_at: float = -math.inf
    is_foreign_said: bool = False
    silent_since: float | None = None
    why: str = ""
    is_said: bool = False


class Pulse:
    """Tracks which groups are due for a heartbeat, and which have missed one. Pure; the time is passed in."""

    def __init__(self) -> None:
        self._beats: dict[GroupId, _Beat] = {}

    def look(self, silences: Iterable[tuple[GroupId, str]], now: float) -> None:
        """Record which groups there are, each with why it may not beat ("": it may)."""
        beats = {}
        for group, why in silences:
            beat = beats[group] = self._beats.get(group) or _Beat()
            beat.silent_since = None if not why else now if beat.silent_since is None else beat.silent_since
            beat.why = why
        self._beats = beats

    def due(self, interval_s: float, now: float) -> tuple[GroupId, ...]:
        """Return the groups that may beat, if one last did so an interval ago, or never.

        Others that will be due within half an interval come with it, and are due with it from then on.
        """
        ages = [
            (group, math.inf if beat.written_at is None else now - beat.written_at)
            for group, beat in self._beats.items()
            if not beat.why
        ]
        if all(age < interval_s for _, age in ages):
            return ()
        return tuple(group for group, age in ages if age >= interval_s / 2)

    def written(self, groups: Iterable[GroupId], now: float, sent: Sent) -> None:
        """Record a heartbeat of these groups."""
        for group in groups:
            self._beats[group].written_at, self._beats[group].sent = now, sent

    def unanswered(self, groups: Iterable[GroupId]) -> None:
        """Record that it is unknown which heartbeat these groups have."""
        for group in groups:
            self._beats[group].sent = None

    def found(self, group: GroupId, found: Found | None, asked_at: float) -> None:
        """Record which heartbeat a group had before the next is written."""
        beat = self._beats[group]
        if beat.sent is None:
            return
        is_foreign = found is not None and found.is_of_another(beat.sent, asked_at)
        beat.foreign_looks = beat.foreign_looks + 1 if is_foreign else 0
        if beat.foreign_looks >= _FOREIGN_LOOKS:
            beat.foreign_at = asked_at

    def seen(self, group: GroupId, found: Found | None, answered_at: float) -> None:
        """Record what a group has that does not beat: it lives no longer, unless somebody writes it."""
        sent = None if found is None else Sent(found.value, found.remaining_s, answered_at)
        self._beats[group].sent = sent

    def foreign(self, interval_s: float, now: float) -> frozenset[GroupId]:
        """Return the groups whose heartbeat somebody else writes, too."""
        return frozenset(
            group
            for group, beat in self._beats.items()
            if now <= beat.foreign_at + _FOREIGN_LASTS * interval_s
        )

    def newly_foreign(self, interval_s: float, now: float) -> Iterator[GroupId]:
        """Yield each group once when somebody else begins to write its heartbeat."""
        foreign = self.foreign(interval_s, now)
        for group, beat in self._beats.items():
            if group in foreign and not beat.is_foreign_said:
                yield group
            beat.is_foreign_said = group in foreign

    def withheld(self) -> dict[GroupId, str]:
        """Return the groups that do not beat now, and why."""
        return {group: beat.why for group, beat in self._beats.items() if beat.why}

    def missed(self, interval_s: float, now: float) -> Iterator[tuple[GroupId, str]]:
        """Yield each group once, and why, when its heartbeat is withheld and has expired or never existed."""
        for group, beat in self._beats.items():
            if beat.silent_since is None or beat.is_said:
                continue
            since = beat.silent_since if beat.written_at is None else beat.written_at
            if now >= since + LIFETIMES * interval_s:
                beat.is_said = True
                yield group, beat.why

    def recovered(self) -> Iterator[GroupId]:
        """Yield each group once that beats again after it was reported as missing."""
        for group, beat in self._beats.items():
            if beat.is_said and not beat.why:
                beat.is_said = False
                yield group
