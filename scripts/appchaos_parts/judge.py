"""Judge a run by the sandbox's records: posts, connects, filters, and the bill. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from chaos_parts.agreement import Disagreement, disagreements
from chaos_parts.deliveries import Deliveries, SentTweet, Topic, account
from chaos_parts.ledger import LedgerRecord
from chaos_parts.timeline import Timelines
from chaos_parts.unread import unread_times
from trial.judge import OpenedStream, Silence

from appchaos_parts.bill import Bill, Records, settled
from appchaos_parts.witness import stalls, standstills, unnoticed_ends

Json = Mapping[str, Any]
Span = tuple[float, float]

MOST_CONNECTS, WINDOW_S = 50, 900.0
MOST_APART_S = 1.5
_TOO_MANY = "TooManyConnections"


@dataclass(frozen=True)
class Found:
    """The records read at the end of a run; times are monotonic seconds."""

    connection: str
    at_once: int  # connections of the app that may stream at the same time
    stall_timeout_s: float
    streams: Sequence[Json]  # the sandbox's
    requests: Sequence[Json]  # for streams
    sent: Sequence[SentTweet]
    made_at: Sequence[float]  # when the sandbox made tweets, whether or not it sent them
    written: Topic
    ledger: LedgerRecord
    billed: int  # posts
    counted: int  # by the supervisor
    kills: Sequence[float] = ()  # of workers
    unnoted: Sequence[float] = ()  # when a worker said that it cannot write down what it read
    with_searches: bool = False  # which find posts that no stream brought
    searched: frozenset[str] = frozenset()  # posts in the output that a search found
    stalls: Sequence[float] = ()  # when the server fell silent on an open stream
    filled: Sequence[Span] = ()  # times for which the ledger says that what was missing was fetched
    findable: Sequence[
        tuple[str, float]
    ] = ()  # posts for our filters that a fill finds, and when they were made
    slowness: float = 1.0  # of the server: how much slower than alone it ran


@dataclass(frozen=True)
class Verdict:
    """The figures, and what must not be."""

    deliveries: Deliveries
    disagreements: Sequence[Disagreement]
    standstills: Sequence[Silence]  # of the server
    gap_seconds: Mapping[str, float]
    connects: int
    most_in_window: int
    missed: Sequence[str]  # posts of filled times that are in no output
    bill: Bill
    breaches: Sequence[str]


def judged(found: Found) -> Verdict:
    """Compare all records with each other."""
    streams = [_opened(found.connection, one) for one in found.streams]
    ledger = Timelines(found.ledger.entries)
    deliveries = account(found.sent, streams, ledger, found.written)
    still = standstills(found.connection, found.made_at)
    unnoticed = unnoticed_ends(found.connection, found.streams, found.stall_timeout_s)
    live = [stream for stream in streams if stream.id not in _of_the_past(found.streams)]
    most_apart_s = MOST_APART_S * found.slowness
    stalled = stalls(found.connection, found.stalls, found.stall_timeout_s)
    doubts = [*still, *unnoticed, *stalled, *unread_times(found.sent, live, found.written)]
    apart = disagreements(ledger, live, doubts, found.ledger.until)
    missed = [post for post, at in found.findable if _is_filled(found, at) and not _is_written(found, post)]
    most = _most_in_window([one["at_mono"] for one in found.requests])
    bill = settled(_records(found), found.billed, found.counted)
    breaches = [
        *([f"{deliveries.lost} posts were lost"] if deliveries.lost else []),
        *([f"{most} connects in {WINDOW_S:g} s"] if most > MOST_CONNECTS else []),
        *(f"ledger and server differ: {one}" for one in apart if one.seconds > most_apart_s),
        *([f"{len(missed)} posts of filled gaps are missing"] if missed else []),
        *([f"{found.written.doubled} posts came twice"] if found.written.doubled else []),
        *_doubled_connections(found, live),
        *bill.breaches(with_searches=found.with_searches),
    ]
    seconds = ledger.gap_seconds().get(found.connection, {})
    return Verdict(deliveries, apart, still, seconds, len(found.requests), most, missed, bill, breaches)


def _opened(connection: str, record: Json) -> OpenedStream:
    closed = record["closed_mono"]
    return OpenedStream(
        connection,
        frozenset(),
        record["opened_mono"],
        inf if closed is None else closed,
        record["id"],
    )


def _most_in_window(times: Sequence[float]) -> int:
    return max((sum(at <= other < at + WINDOW_S for other in times) for at in times), default=0)


def _of_the_past(streams: Sequence[Json]) -> frozenset[int]:
    """Return the connections that brought what was missed, beside the live ones."""
    return frozenset(one["id"] for one in streams if one.get("recovery"))


def _is_filled(found: Found, at: float) -> bool:
    return any(since <= at <= until for since, until in found.filled)


def _is_written(found: Found, post: str) -> bool:
    return (found.connection, post) in found.written.counts


def _doubled_connections(found: Found, streams: Sequence[OpenedStream]) -> Iterable[str]:
    """Yield the connects that X refused because we still had one, and streams that overlapped."""
    refused = sum(
        one["status"] == 429 and _TOO_MANY.lower() in one["problem"].lower() for one in found.requests
    )
    if refused:
        yield f"{refused} connects met a connection of our own"
    overlaps = sum(sum(other.is_open(one.opened_at) for other in streams) > found.at_once for one in streams)
    if overlaps:
        yield f"{overlaps} streams were opened before their predecessor was closed"


def _records(found: Found) -> Records:
    """Return what the bill is compared with. A search may put any earlier post in a worker's hand again."""
    ends = {one["id"]: inf if one["closed_mono"] is None else one["closed_mono"] for one in found.streams}
    return Records(
        found.sent,
        frozenset(post for _, post in found.written.counts),
        found.searched,
        dict.fromkeys(ends, inf) if found.with_searches else ends,
        found.kills,
        found.unnoted,
        found.slowness,
    )
