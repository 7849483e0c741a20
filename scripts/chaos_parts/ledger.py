"""Reads the supervisors' gap ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from trial.evidence import reported_gaps

from chaos_parts.timeline import Entry, Kind

Json = dict[str, Any]

_LAST_REPORT_S = 1.0


def read_log(
    events: Sequence[Json],
    connections: Iterable[str],
    wall_to_mono: float,
    kills: Sequence[float],
    now: float,
) -> list[Entry]:
    """The intervals as far as supervisor.log tells of them; a supervisor that is killed leaves no line."""
    gaps = reported_gaps(events, wall_to_mono)
    entries: list[Entry] = []
    for name in connections:
        own = sorted((g for g in gaps if g.connection == name), key=lambda g: g.since)
        found = [Entry(name, Kind.GAP, g.cause, g.since, g.until, g.seconds) for g in own]
        for kill in kills:
            since = kill - _LAST_REPORT_S
            until = min((g.since for g in own if g.since >= kill), default=now)
            found.append(Entry(name, Kind.GAP, "master_down", since, until, until - since))
        entries += _with_streams(sorted(found, key=lambda entry: entry.since), now)
    return entries


def _with_streams(gaps: list[Entry], now: float) -> list[Entry]:
    """The gaps with what lies between them."""
    end = Entry(gaps[-1].connection, Kind.GAP, "", now, now, 0.0)
    between = [
        Entry(gap.connection, Kind.STREAMING, "", gap.until, following.since, following.since - gap.until)
        for gap, following in pairwise([*gaps, end])
        if following.since > gap.until
    ]
    return [*gaps, *between]
