"""Check that no key had more connections than its `max_connections`, from the sandbox's record. Pure.

All times are seconds of this host's monotonic clock. The one exception is the moment of an `overlap`: the
supervisor logs its beginning before it permits the second connection.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trial.clocks import unix_s

Json = dict[str, Any]

LATE_S = 0.5
"""By how much later than the client a server that runs alone may note that the client closed."""

Generation = tuple[str, int]
"""A connection, and the number of its generation."""

OVERLAP_S = 60.0
"""How long after it was begun an overlap may open its connection: the server may take its time to answer."""


@dataclass(frozen=True, slots=True)
class KeyStream:
    """A connection in the sandbox's record, and the account (the name of the key) that opened it."""

    id: int
    account: str
    opened_at: float
    closed_at: float  # infinite while it is open
    is_closed_by_client: bool = False
    opened_by: Generation | None = None  # None: the supervisor did not log its opening
    gone_at: float = math.inf  # when the supervisor logged the end of the worker that opened it

    def __str__(self) -> str:
        return f"{self.id} of {'#'.join(map(str, self.opened_by)) if self.opened_by else 'nobody known'}"


@dataclass(frozen=True, slots=True)
class Overlap:
    """The supervisor let a generation connect with a streaming key, to have the older stream closed."""

    account: str
    at: float
    begun_for: Generation | None = None

    def opened(self, stream: KeyStream) -> bool:
        """Tell whether a stream of the key may be the one that it was begun for."""
        is_of_another = None not in (self.begun_for, stream.opened_by) and self.begun_for != stream.opened_by
        return self.at <= stream.opened_at <= self.at + OVERLAP_S and not is_of_another


@dataclass(frozen=True, slots=True)
class Breach:
    """A connection opened while its key had as many as it may have, outside of an overlap."""

    stream: KeyStream
    older: tuple[KeyStream, ...]
    limit: int

    def __str__(self) -> str:
        older = ", ".join(
            f"{one} (for {one.closed_at - self.stream.opened_at:.2f} s, then closed by"
            f" {'the client' if one.is_closed_by_client else 'the server'})"
            for one in self.older
        )
        return (
            f"{self.stream.account} opened connection {self.stream}, may have {self.limit},"
            f" and had open yet: {older}"
        )


def breaches(
    streams: Iterable[KeyStream],
    limits: Mapping[str, int],
    overlaps: Iterable[Overlap] = (),
    late_s: float = LATE_S,
) -> list[Breach]:
    """Return every connection beyond its key's limit, in the order of opening; the default limit is one.

    Each overlap excuses one connection: the first that its key opens after it, if it comes within OVERLAP_S
    and was not opened by another generation: a busy server may record the older stream late.
    """
    by_account: dict[str, list[KeyStream]] = defaultdict(list)
    for stream in streams:
        by_account[stream.account].append(stream)
    meant: dict[str, list[Overlap]] = defaultdict(list)
    for overlap in overlaps:
        meant[overlap.account].append(overlap)
    found = [
        breach
        for account, its in by_account.items()
        for breach in _of_one_key(its, limits.get(account, 1), meant[account], late_s)
    ]
    return sorted(found, key=lambda breach: breach.stream.opened_at)


def _of_one_key(
    streams: Sequence[KeyStream], limit: int, overlaps: Sequence[Overlap], late_s: float
) -> list[Breach]:
    ordered = sorted(streams, key=lambda stream: stream.opened_at)
    excused = _excused(ordered, overlaps)
    found = []
    for number, stream in enumerate(ordered):
        older = tuple(one for one in ordered[:number] if _seen_until(one, late_s) > stream.opened_at)
        # In an overlap the older one is there by intention, and only that one.
        if len(older) >= limit + (number in excused):
            found.append(Breach(stream, older, limit))
    return found


def _excused(ordered: Sequence[KeyStream], overlaps: Sequence[Overlap]) -> set[int]:
    """Return, for each overlap, the number of the connection that it opened."""
    firsts = (
        next((n for n, stream in enumerate(ordered) if overlap.opened(stream)), None) for overlap in overlaps
    )
    return {first for first in firsts if first is not None}


def _seen_until(stream: KeyStream, late_s: float) -> float:
    """Return until when somebody held it: a dead worker does not, whenever the server hears of that."""
    seen_until = stream.closed_at - late_s if stream.is_closed_by_client else stream.closed_at
    return min(seen_until, stream.gone_at)


# ---- from the records


def key_streams(
    records: Iterable[Json], opened_by: Mapping[int, Generation], ends: Mapping[Generation, float]
) -> list[KeyStream]:
    """Return the connections of the sandbox's record.

    The supervisor logged who opened each, by id (`opened_by`), and when their workers ended (`ends`).
    """
    return [
        KeyStream(
            id=record["id"],
            account=record["account"],
            opened_at=record["opened_mono"],
            closed_at=math.inf if record["closed_mono"] is None else record["closed_mono"],
            is_closed_by_client=record["closed_by"] == "client",
            opened_by=(opener := opened_by.get(record["id"])),
            gone_at=math.inf if opener is None else ends.get(opener, math.inf),
        )
        for record in records
    ]


def worker_ends(log_events: Iterable[Json], wall_to_mono: float) -> dict[Generation, float]:
    """Return when supervisor.log (in JSON lines) reports the end of each generation's worker."""
    return {
        (event["connection"], event["gen"]): unix_s(event["time"]) + wall_to_mono
        for event in log_events
        if event["message"] == "worker ended"
    }


def overlaps(log_events: Iterable[Json], wall_to_mono: float) -> list[Overlap]:
    """Return the overlaps that supervisor.log (in JSON lines) reports as begun."""
    return [
        Overlap(
            event["key"],
            unix_s(event["time"]) + wall_to_mono,
            (event["connection"], event["gen"]),
        )
        for event in log_events
        if event["message"] == "an overlap begins"
    ]
