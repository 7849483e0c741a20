"""Compute the plan of a supervisor that would start now, with what state_dir remembers of the keys."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from traptor.common.config.settings import Settings
from traptor.common.placement.parts import assign, connection_name
from traptor.common.redis.client import redis_client
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.connections.planning.demand import KeyDemand, order_demands
from traptor.supervisor.keys.addresses import is_on_this_host
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.reload import pool_limits
from traptor.supervisor.rules.groups import limits_of
from traptor.supervisor.rules.reader import RuleReader
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.state.store import kept_keys


@dataclass(frozen=True, slots=True)
class PlannedConnection:
    """One row of the plan; `key` is None when no key is left for it."""

    name: str
    rules: int
    values: int
    key: str | None
    source_address: str | None


@dataclass(frozen=True, slots=True)
class RulesFound:
    """The rules in Redis for this host; `strays` are keys that look like rules' keys but name no group."""

    snapshots: Mapping[GroupId, Snapshot]
    strays: tuple[Rejected, ...]

    @property
    def rejected(self) -> list[Rejected]:
        """All unusable rules, in the order of the groups."""
        of_groups = [rule for _, snapshot in sorted(self.snapshots.items()) for rule in snapshot.rejected]
        return [*of_groups, *self.strays]

    @property
    def doubtful(self) -> list[Rejected]:
        """The rules that may not find what they are meant to, and why, in the order of the groups."""
        doubtful = [rule for _, snapshot in sorted(self.snapshots.items()) for rule in snapshot.doubtful]
        return [Rejected(rule.key, rule.group, rule.doubt) for rule in doubtful]


async def read_rules(settings: Settings) -> RulesFound:
    """Return all rules that this host would serve. Raises RedisUnavailable."""
    client = redis_client(settings.redis.url, settings.redis.timeout, settings.redis.ca_file)
    try:
        reader = RuleReader(
            client, limits=limits_of(settings), honour_status=settings.supervisor.honour_status
        )
        snapshots = await reader.read_all(settings.traptor.groups)
        return RulesFound(snapshots, reader.strays)
    finally:
        await client.aclose()


def remembered_pool(settings: Settings, now: float) -> KeyPool:
    """Return the keys as a supervisor finds them at its start. Raises TraptorError for an unusable file."""
    pool = KeyPool(pool_limits(settings), random.Random(0))
    if dump := kept_keys(settings.supervisor.state_dir / "state.db"):
        pool.load(dump, now, time.time())
    pool.replace(settings.keys, now, is_on_this_host)
    return pool


def fresh_pool(settings: Settings, now: float) -> KeyPool:
    """Return the keys as if nothing were remembered of them."""
    pool = KeyPool(pool_limits(settings), random.Random(0))
    pool.replace(settings.keys, now, is_on_this_host)
    return pool


def cold_plan(
    settings: Settings, snapshots: Mapping[GroupId, Snapshot], pool: KeyPool, now: float
) -> tuple[PlannedConnection, ...]:
    """Return the plan of a supervisor that starts now, in the order in which keys are lent; lends them."""
    parts: dict[str, tuple[int, int]] = {}
    for group, snapshot in snapshots.items():
        assignment = assign(snapshot.rules, limits_of(settings).of(group.type))
        for part, keys in assignment.members.items():
            parts[connection_name(group, part)] = (len(keys), assignment.distinct(keys))
    rows = []
    for demand in order_demands(KeyDemand(name, rules) for name, (rules, _) in parts.items()):
        lease = pool.lend(demand.connection, now)
        key = pool.ring[lease.key_id] if lease else None
        rules, values = parts[demand.connection]
        name, address = (key.name, key.source_address) if key else (None, None)
        rows.append(PlannedConnection(demand.connection, rules, values, name, address))
    return tuple(rows)
