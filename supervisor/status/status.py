"""`run_dir/status.json`: what the supervisor does now, replaced once a second, for people and scripts."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any

from traptor.common import __version__
from traptor.common.files.outboxes import Left
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.reload import ReloadOutcome
from traptor.supervisor.rules.groups import Group, Groups
from traptor.supervisor.rules.redisuses import RedisUse, UseState, overall
from traptor.supervisor.status.keys import of_key
from traptor.supervisor.status.latest import Shown
from traptor.supervisor.status.output import output
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.status.times import wall
from traptor.supervisor.status.trial import trial

_MOST_REJECTED = 100  # of each group
_NOTHING = Left()


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
    shown: Shown = field(default_factory=Shown)  # what was shown before


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
            around.shown.connection(c, context.leftovers.found.get(c.name, _NOTHING), around.rates, now)
            for c in _by_name(context)
        ],
        "ownerless": [
            {"connection": name, **asdict(left)} for name, left in sorted(context.leftovers.found.items())
        ],
        "drain_tries": [
            {"connection": name, "tries": tries, "next_at": wall(next_at, now)}
            for name, (tries, next_at) in sorted(context.leftovers.tries.items())
        ],
        "keys": [
            of_key(key, now, context.apps.get(key.key_id)) for key in around.shown.keys(context.pool, now)
        ],
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
