"""Judge a run by the sandbox's records: posts, connects, filters, and the bill. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from chaos_parts.agreement import Disagreement, disagreements
from chaos_parts.deliveries import Deliveries, SentTweet, Topic, account
from chaos_parts.ledger import LedgerRecord
from chaos_parts.timeline import Timelines
from trial.judge import OpenedStream, Silence

from appchaos_parts.witness import standstills

Json = Mapping[str, Any]

MOST_CONNECTS, WINDOW_S = 50, 900.0
MOST_APART_S = 1.5
_TOO_MANY = "TooManyConnections"


@dataclass(frozen=True)
class Found:
    """The records read at the end of a run; times are monotonic seconds."""

    connection: str
    streams: Sequence[Json]  # the sandbox's
    requests: Sequence[Json]  # for streams
    sent: Sequence[SentTweet]
    made_at: Sequence[float]  # when the sandbox made tweets, whether or not it sent them
    written: Topic
    ledger: LedgerRecord
    billed: int  # posts
    counted: int  # by the supervisor


@dataclass(frozen=True)
class Verdict:
    """The figures, and what must not be."""

    deliveries: Deliveries
    disagreements: Sequence[Disagreement]
    standstills: Sequence[Silence]  # of the server
    gap_seconds: Mapping[str, float]
    connects: int
    most_in_window: int
    unread: int  # billed, and in no output: nobody read them, or was killed before keeping them
    breaches: Sequence[str]


def judged(found: Found) -> Verdict:
    """Compare all records with each other."""
    streams = [_opened(found.connection, one) for one in found.streams]
    ledger = Timelines(found.ledger.entries)
    deliveries = account(found.sent, streams, ledger, found.written)
    still = standstills(found.connection, found.made_at)
    apart = disagreements(ledger, streams, still, found.ledger.until)
    most = _most_in_window([one["at_mono"] for one in found.requests])
    unread = found.billed - len(found.written.counts)
    breaches = [
        *([f"{deliveries.lost} posts were lost"] if deliveries.lost else []),
        *([f"{most} connects in {WINDOW_S:g} s"] if most > MOST_CONNECTS else []),
        *(f"ledger and server differ: {one}" for one in apart if one.seconds > MOST_APART_S),
        *_doubled_connections(found.requests, streams),
        *_bill(found, unread),
    ]
    seconds = ledger.gap_seconds().get(found.connection, {})
    return Verdict(deliveries, apart, still, seconds, len(found.requests), most, unread, breaches)


def _opened(connection: str, record: Json) -> OpenedStream:
    closed = record["closed_mono"]
    return OpenedStream(
        connection,
        frozenset(),
        record["opened_mono"],
        float("inf") if closed is None else closed,
        record["id"],
    )


def _most_in_window(times: Sequence[float]) -> int:
    return max((sum(at <= other < at + WINDOW_S for other in times) for at in times), default=0)


def _doubled_connections(requests: Sequence[Json], streams: Sequence[OpenedStream]) -> Iterable[str]:
    """Yield the connects that X refused because we still had one, and streams that overlapped."""
    refused = sum(one["status"] == 429 and _TOO_MANY.lower() in one["problem"].lower() for one in requests)
    if refused:
        yield f"{refused} connects met a connection of our own"
    overlaps = sum(earlier.closed_at > later.opened_at for earlier, later in pairwise(streams))
    if overlaps:
        yield f"{overlaps} streams were opened before their predecessor was closed"


def _bill(found: Found, unread: int) -> Iterable[str]:
    """Yield where our count is not the bill.

    The server bills what it writes, each post once. How much of that was in a socket that nobody read any
    more cannot be known here, but only what came to no output can have been there: that may be missing.
    """
    if not found.billed - unread <= found.counted <= found.billed:
        yield (
            f"billed {found.billed:,} posts, counted {found.counted:,}, where {unread:,} of those billed"
            " came to no output"
        )
