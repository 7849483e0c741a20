"""`run_dir/status.json`: what the supervisor does now, replaced once a second, for people and scripts."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from traptor.common import __version__
from traptor.common.files.outboxes import Left
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.apps.hold import HoldKind
from traptor.supervisor.apps.view import AppView
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.waits import Wait, WaitKind
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.keys.conduct.states import KeyState, KeyStatus
from traptor.supervisor.reload import ReloadOutcome
from traptor.supervisor.rules.groups import Group, Groups
from traptor.supervisor.rules.redisuses import RedisUse, UseState, overall
from traptor.supervisor.status.output import output
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.status.trial import trial
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.states import ConnectionState, GenerationState

_MOST_REJECTED = 100  # of each group


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The parts of the status besides groups, connections and keys."""

    log_lost: int
    log_fails: bool
    ledger: Mapping[str, int | str | None]
    withheld: Mapping[GroupId, str]  # groups without a heartbeat, and why
    foreign: Set[GroupId]  # groups whose heartbeat somebody else writes, too
    jobs: list[dict[str, Any]]  # jobs that failed
    redis: Mapping[RedisUse, UseState]
    reload: ReloadOutcome | None  # of the last one
    reloads: Mapping[str, int]  # made since the start, by outcome
    rates: Rates
    apps: list[dict[str, Any]]  # under v2
    fills: dict[str, Any]  # of gaps, under v2


def status(context: Context, groups: Groups, around: Surroundings, now: float) -> dict[str, Any]:
    """Return plain JSON values; times are Unix seconds, durations seconds. The result holds no secret."""
    return {
        "version": __version__,
        "pid": os.getpid(),
        "at": time.time(),
        "stopping": context.stopping,
        "ready": groups.are_known,
        "redis": overall(around.redis),
        "redis_uses": [_redis_use(use, state) for use, state in around.redis.items()],
        "strays": len(groups.strays),
        "stray_keys": _rejected(groups.strays),
        "log_lost": around.log_lost,
        "log_fails": around.log_fails,
        "ledger": around.ledger,
        "reload": _reload(around.reload),
        "reloads": dict(around.reloads),
        "openings": [
            {"key": key, "outcome": outcome, "count": count}
            for (key, outcome), count in sorted(context.openings.items())
        ],
        "heartbeat": _heartbeats(groups, around),
        "output": output(context, now),
        "trial": trial(context, now),
        "jobs": around.jobs,
        "groups": [_group(group, around) for group in groups.all()],
        "connections": [
            _connection(c, context.leftovers.found.get(c.name, Left()), around.rates, now)
            for c in _by_name(context)
        ],
        "ownerless": [
            {"connection": name, **asdict(left)} for name, left in sorted(context.leftovers.found.items())
        ],
        "keys": [_key(key, now, context.apps.get(key.key_id)) for key in context.pool.statuses(now)],
        "apps": around.apps,
        "fills": around.fills,
    }


def _reload(outcome: ReloadOutcome | None) -> dict[str, Any]:
    refused = outcome.refused if outcome is not None else ()
    return {"at": outcome.at if outcome is not None else None, "refused": list(refused)}


def _heartbeats(groups: Groups, around: Surroundings) -> dict[str, Any]:
    """Return how many groups have a heartbeat, how many have none, and why."""
    is_written = around.redis[RedisUse.HEARTBEATS].error is None
    withheld = {str(group): why for group, why in around.withheld.items()}
    beating = len({group.id for group in groups.all()} - around.withheld.keys())
    return {"written": beating if is_written else 0, "withheld": len(withheld), "why": withheld}


def _rejected(rules: Sequence[Rejected]) -> list[dict[str, str]]:
    return [{"key": rule.shown_key, "reason": rule.reason} for rule in rules[:_MOST_REJECTED]]


def _redis_use(use: RedisUse, state: UseState) -> dict[str, Any]:
    return {"used_for": use, "state": state.state, "since": state.since, "error": state.error}


def _by_name(context: Context) -> list[Connection]:
    return sorted(context.connections.values(), key=lambda c: (str(c.group), c.part, c.name))


def _group(group: Group, around: Surroundings) -> dict[str, Any]:
    snapshot = group.snapshot
    heartbeat, why = _heartbeat(around.withheld.get(group.id), around.redis[RedisUse.HEARTBEATS])
    return {
        "group": str(group.id),
        "rules": len(snapshot.rules),
        "rejected": len(snapshot.rejected),
        "rejected_rules": _rejected(snapshot.rejected),
        "inactive": snapshot.inactive,
        "suspect": group.suspect,
        "hints": group.ticket,
        "heartbeat": heartbeat,
        "heartbeat_why": why,
        "heartbeat_shared": group.id in around.foreign,
    }


def _heartbeat(withheld: str | None, use: UseState) -> tuple[str, str | None]:
    """Return the state of a group's heartbeat, and why it is not written."""
    if withheld is not None:
        return "withheld", withheld
    return ("written", None) if use.error is None else ("not written", use.error)


def _connection(c: Connection, left: Left, rates: Rates, now: float) -> dict[str, Any]:
    totals = c.gaps.totals(instant(now))
    outbox_messages, outbox_bytes = c.outbox()
    return {
        "connection": c.name,
        "covered": c.is_covered,
        "groups": sorted(map(str, c.groups)),
        "state": c.state(now),
        "rules": len(c.wanted.rules) if c.wanted else 0,
        "tweets_per_second": _rounded(rates.per_second(c.name)),
        "restarts": c.restarts.total(),
        "restart_reasons": {str(ending): count for ending, count in c.restarts.items()},
        "collecting": c.collects,
        "since": round(c.gaps.since.wall, 3),
        "shown_state": _shown_state(c, now),
        "uncollected": c.uncollected(),
        "wait": _wait(c, now),
        "last_error": _last_error(c, now),
        "last_delivery": _wall(c.delivered_at, now),
        "waits_for": c.wait.text if c.wait else None,
        "waits_until": _wall(c.wait.until if c.wait else None, now),
        "held_for": [f"part {part}" for part in c.held_for],
        "gap_seconds": {str(cause): round(seconds, 3) for cause, seconds in totals.gaps_s.items()},
        "streaming_seconds": round(totals.streaming_s, 3),
        "outbox": {
            "messages": outbox_messages + left.messages,
            "bytes": outbox_bytes + left.bytes,
            "oldest": _wall(_oldest(c), now),
        },
        "serving": _generation(c.serving, now),
        "successor": _generation(c.successor, now),
        "leaving": [_generation(g, now) for g in c.leaving],
        "total": msgspec.to_builtins(c.counters()),
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
    return {"kind": wait.kind, "why": wait.text, "until": _wall(wait.until, now), "key": wait.key}


def _present_wait(c: Connection) -> Wait | None:
    if not c.streams:
        return c.silence
    if c.collects or c.wait is not None:
        return c.wait
    return Wait(WaitKind.EFFECT, "no filter of its app is in effect at X")


def _last_error(c: Connection, now: float) -> dict[str, Any] | None:
    error = c.last_error
    return None if error is None else {"at": _wall(error.at, now), "what": error.text}


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
        "born_at": _wall(g.born_at, now),
        "streaming_since": _wall(g.streaming_since, now),
        "activity": g.last_report.activity if g.last_report else None,
        "last_byte": _wall(g.last_byte_at or None, now),
        "backlog": g.last_report.backlog if g.last_report else 0,
        "unconfirmed_since": _wall(g.last_report.unconfirmed_since if g.last_report else None, now),
        "vitals": msgspec.to_builtins(g.vitals) if g.vitals else None,
        "counters": msgspec.to_builtins(g.counters),
    }


def _key(key: KeyStatus, now: float, app: AppView | None = None) -> dict[str, Any]:
    hold = app.hold() if app is not None else None
    is_broke = hold is not None and hold.kind is HoldKind.OUT_OF_CREDIT
    ends_at = hold.until if hold is not None and is_broke else _wall(key.not_before, now)
    return {
        "key": key.name,
        "key_id": key.key_id,
        "state": KeyState.OUT_OF_CREDIT if is_broke else key.state,
        "lent": key.lent,
        "max_connections": key.max_connections,
        "budget_left": key.budget_left,
        "not_before": ends_at,
        "until": ends_at,
        "hindrance": key.hindrance,
        "reason": hold.text if hold is not None and is_broke else key.reason,
        "last_error": key.last_error,
        "failed_at": _wall(key.failed_at, now),
        "last_used": _wall(key.last_used_at, now),
        "source_address": key.source_address,
    }


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 2)


def _wall(at: float | None, now: float) -> float | None:
    return None if at is None else round(time.time() + at - now, 3)
