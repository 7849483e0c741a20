"""Stretches of time that the ledger is asked about, or keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from traptor.supervisor.ledger.records import Entry


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of Unix time; without ends it covers all time."""

    since: float = -math.inf
    until: float = math.inf

    def overlap(self, since: float, until: float) -> Period | None:
        """Return the overlap with another period; None when there is none."""
        common = Period(max(self.since, since), min(self.until, until))
        return common if common.since < common.until else None

    def clip(self, entry: Entry) -> Entry | None:
        """Return the part of an entry in the period, with its share of the seconds (clocks may be set)."""
        if self.since <= entry.from_unix and entry.to_unix <= self.until:
            return entry
        common = self.overlap(entry.from_unix, entry.to_unix)
        if common is None:
            return None
        share = (common.until - common.since) / (entry.to_unix - entry.from_unix)
        return replace(
            entry,
            from_unix=common.since,
            to_unix=common.until,
            seconds=entry.seconds * share,
            is_open=entry.is_open and common.until == entry.to_unix,
        )


ALL_TIME = Period()
