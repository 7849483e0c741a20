"""A connection, with its generations, as the status shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from traptor.common.files.outboxes import Left
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.waits import ACTS_SOON_TEXT, Wait, WaitKind
from traptor.supervisor.gaps.interval import IntervalKind, instant
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.status.times import wall
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.states import ConnectionState, GenerationState


def of_connection(c: Connection, left: Left, rates: Rates, now: float) -> dict[str, Any]:
    """Return one connection; `left` is what dead generations left in its outboxes."""
    return {
        "connection": c.name,
        "covered": c.is_covered,
        "groups": sorted(map(str, c.groups)),
        "state": c.state(now),
        "rules": len(c.wanted.rules) if c.wanted else 0,
        "restarts": c.restarts.total(),
        "restart_reasons": {str(ending): count for ending, count in c.restarts.items()},
        "collecting": c.collects,
        "since": round(c.gaps.since.wall, 3),
        "shown_state": _shown_state(c, now),
        "uncollected": c.uncollected(),
        "wait": _wait(c, now),
        "last_error": _last_error(c, now),
        "waits_for": c.wait.text if c.wait else None,
        "waits_until": wall(c.wait.until if c.wait else None, now),
        "held_for": [f"part {part}" for part in c.held_for],
        **_durations(c, now),
        **reported(c, left, rates, now),
    }


def reported(c: Connection, left: Left, rates: Rates, now: float) -> dict[str, Any]:
    """Return the members of a connection that a report or the kernel changes, without an event."""
    outbox_messages, outbox_bytes = c.outbox()
    return {
        "tweets_per_second": _rounded(rates.per_second(c.name)),
        "outbox": {
            "messages": outbox_messages + left.messages,
            "bytes": outbox_bytes + left.bytes,
            "oldest": wall(_oldest(c), now),
        },
        "last_delivery": wall(c.delivered_at, now),
        "serving": _generation(c.serving, now),
        "successor": _generation(c.successor, now),
        "leaving": [_generation(g, now) for g in c.leaving],
        "total": msgspec.to_builtins(c.counters()),
    }


def grown(c: Connection, now: float) -> dict[str, Any]:
    """Return the members of a connection that have grown by time alone."""
    if c.gaps.kind is IntervalKind.STREAMING:
        return {"streaming_seconds": round(c.gaps.streamed_s(now), 3)}
    return _durations(c, now)


def _durations(c: Connection, now: float) -> dict[str, Any]:
    totals = c.gaps.totals(instant(now))
    return {
        "gap_seconds": {str(cause): round(seconds, 3) for cause, seconds in totals.gaps_s.items()},
        "streaming_seconds": round(totals.streaming_s, 3),
    }


def _shown_state(c: Connection, now: float) -> str:
    """Return the state for people: UP only while it streams, else what its generation is about."""
    state = c.state(now)
    if state is not ConnectionState.UP or c.collects:
        return state
    return c.serving.state if c.serving is not None else GenerationState.STARTING


def _wait(c: Connection, now: float) -> dict[str, Any] | None:
    """Return why it does not stream, or for what its refresh waits."""
    wait = _present_wait(c) if c.is_planned else None
    if wait is None:
        return None
    return {"kind": wait.kind, "why": wait.text, "until": wall(wait.until, now), "key": wait.key}


def _present_wait(c: Connection) -> Wait | None:
    if not c.streams:
        return c.silence
    if c.collects or c.wait is not None:
        return c.wait
    if c.in_effect is not None and (acts_at := c.in_effect.acts_at) is not None:
        return Wait(WaitKind.ACTS_SOON, ACTS_SOON_TEXT, acts_at)
    return Wait(WaitKind.EFFECT, "no filter of its app is in effect at X")


def _last_error(c: Connection, now: float) -> dict[str, Any] | None:
    error = c.last_error
    return None if error is None else {"at": wall(error.at, now), "what": error.text}


def _oldest(c: Connection) -> float | None:
    """Return about when the oldest undelivered message of its generations came (monotonic)."""
    reports = [g.last_report for g in c.generations if g.last_report is not None]
    return min((report.oldest_at for report in reports if report.oldest_at is not None), default=None)


def _generation(g: Generation | None, now: float) -> dict[str, Any] | None:
    if g is None:
        return None
    return {
        "generation": g.birth.generation,
        "pid": g.pid,
        "state": g.state,
        "key": g.connect.key_name if g.connect else None,
        "source_address": g.connect.source_address if g.connect else None,
        "born_at": wall(g.born_at, now),
        "streaming_since": wall(g.streaming_since, now),
        "activity": g.last_report.activity if g.last_report else None,
        "last_byte": wall(g.last_byte_at or None, now),
        "backlog": g.last_report.backlog if g.last_report else 0,
        "unconfirmed_since": wall(g.last_report.unconfirmed_since if g.last_report else None, now),
        "vitals": msgspec.to_builtins(g.vitals) if g.vitals else None,
        "counters": msgspec.to_builtins(g.counters),
    }


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 2)
