"""Combine all records and judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trial.evidence import generations, opened_streams
from trial.judge import OpenedStream, Silence
from trial.rulebook import CONNECTIONS
from trial.silences import silences
from trial.slots import LATE_S, Breach, breaches, key_streams, overlaps, worker_ends

from chaos_parts import sums
from chaos_parts.agreement import Disagreement, disagreements, doubts_of_stops
from chaos_parts.deliveries import Deliveries, SentTweet, Topic, account
from chaos_parts.evidence import with_names
from chaos_parts.ledger import LedgerRecord
from chaos_parts.timeline import Timelines
from chaos_parts.unread import unread_times

Json = dict[str, Any]

_UNLOGGED_S = 10.0  # an overlap begun while nothing could be logged is open by then


@dataclass(frozen=True)
class Found:
    """The records read at the end of a run; times are monotonic seconds."""

    began_at: float
    wall_to_mono: float
    connections: Sequence[Json]  # from the sandbox's record
    strikes: Sequence[Json]  # from the sandbox's record
    sent: Sequence[SentTweet]  # from the sandbox's record
    topic: Topic
    ledger: LedgerRecord
    events: Sequence[Json]  # from supervisor.log
    stops: Sequence[Silence]  # of workers
    blind: Sequence[tuple[float, float]]  # times in which no event could be logged
    stall_timeout_s: float
    max_connections: int
    slowness: float = 1.0  # of the server: how much slower than alone it ran


@dataclass(frozen=True)
class Verdict:
    """The result of the judgement."""

    deliveries: Deliveries
    ledger: Timelines
    disagreements: Sequence[Disagreement]
    faults: Sequence[str]  # anything else that must not be


def judged(found: Found) -> Verdict:
    """Compare all records with each other."""
    streams = with_names(opened_streams(found.connections, found.events, found.wall_to_mono))
    ledger = Timelines(found.ledger.entries)
    doubts = [
        *silences(found.strikes, streams, found.stall_timeout_s),
        *doubts_of_stops(found.stops, streams),
        *unread_times(found.sent, streams, found.topic),
    ]
    return Verdict(
        deliveries=account(found.sent, streams, ledger, found.topic),
        ledger=ledger,
        disagreements=disagreements(ledger, streams, doubts, found.ledger.until),
        faults=[
            *sums.faults(ledger, CONNECTIONS, found.began_at),
            *_overused_keys(found),
            *_unclaimed(streams),
        ],
    )


def _overused_keys(found: Found) -> list[str]:
    opened_by = generations(found.connections, found.events, found.wall_to_mono)
    ends = worker_ends(found.events, found.wall_to_mono)
    streams = key_streams(found.connections, opened_by, ends)
    limits = {stream.account: found.max_connections for stream in streams}
    begun = overlaps(found.events, found.wall_to_mono)
    found_ = breaches(streams, limits, begun, LATE_S * found.slowness)
    return [str(breach) for breach in found_ if not _is_unlogged(breach, found.blind)]


def _is_unlogged(breach: Breach, blind: Sequence[tuple[float, float]]) -> bool:
    """Tell whether the breach may belong to an overlap that could not be logged."""
    return any(since <= breach.stream.opened_at <= until + _UNLOGGED_S for since, until in blind)


def _unclaimed(streams: Sequence[OpenedStream]) -> list[str]:
    count = sum(stream.connection is None for stream in streams)
    return [f"{count} streams belong to no connection"] if count else []
