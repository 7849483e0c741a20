"""`--plan`: the connections that would run now, their keys, and what would wait for one."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from traptor.common.config.settings import Settings
from traptor.common.errors import ExitCode
from traptor.common.placement.parts import assign, connection_name
from traptor.common.redisclient import redis_client
from traptor.common.rules import GroupId
from traptor.common.terminal import say
from traptor.common.text import counted
from traptor.supervisor.connections.demands import Demand, order_demands
from traptor.supervisor.keys.addresses import is_on_this_host
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.reload import pool_limits
from traptor.supervisor.rules.reader import RuleReader, Snapshot
from traptor.supervisor.workers.settings import limits_of


@dataclass(frozen=True, slots=True)
class PlannedConnection:
    """One row of the plan; `key` is None when no key would be left for it."""

    name: str
    rules: int
    values: int
    key: str | None
    source_address: str | None


async def read_rules(settings: Settings) -> dict[GroupId, Snapshot]:
    """All rules that this host would serve. Raises RedisUnavailable."""
    client = redis_client(settings.redis.url, settings.redis.timeout, settings.redis.ca_file)
    try:
        reader = RuleReader(
            client, limits=limits_of(settings), honour_status=settings.supervisor.honour_status
        )
        return await reader.read_all(settings.traptor.groups)
    finally:
        await client.aclose()


def cold_plan(settings: Settings, snapshots: Mapping[GroupId, Snapshot]) -> tuple[PlannedConnection, ...]:
    """The plan of a supervisor that starts now, in the order in which keys are lent."""
    parts: dict[str, tuple[int, int]] = {}
    for group, snapshot in snapshots.items():
        assignment = assign(snapshot.rules, limits_of(settings).of(group.type))
        for part, keys in assignment.members.items():
            parts[connection_name(group, part)] = (len(keys), assignment.distinct(keys))
    pool = KeyPool(pool_limits(settings), random.Random(0))
    now = time.monotonic()
    pool.replace(settings.keys, now, is_on_this_host)
    rows = []
    for demand in order_demands(Demand(name, rules) for name, (rules, _) in parts.items()):
        lease = pool.lend(demand.connection, now)
        key = pool.key(lease.key_id) if lease else None
        rules, values = parts[demand.connection]
        rows.append(
            PlannedConnection(
                demand.connection,
                rules,
                values,
                key.name if key else None,
                key.source_address if key else None,
            )
        )
    return tuple(rows)


async def preview(settings: Settings, console: Console) -> ExitCode:
    """Print the plan. Raises RedisUnavailable."""
    snapshots = await read_rules(settings)
    rows = cold_plan(settings, snapshots)
    table = Table(title="Connections that would run")
    for heading in ("connection", "rules", "values", "key", "source address"):
        table.add_column(heading, justify="right" if heading in ("rules", "values") else "left")
    for row in sorted(rows, key=lambda row: row.name):
        key = row.key or Text("waits for a key", style="bold red")
        table.add_row(row.name, str(row.rules), str(row.values), key, row.source_address or "default")
    console.print(table)
    waiting = sum(row.key is None for row in rows)
    planned = f"{counted(len(rows), 'connection')}, {counted(len(settings.keys), 'key')}"
    say(console, f"{planned}; {waiting} would wait for a key.")
    for group, snapshot in sorted(snapshots.items()):
        for rejected in snapshot.rejected:
            say(console, f"rejected: {rejected.shown_key}: {rejected.reason}")
        for rule in snapshot.doubtful:
            say(console, f"doubtful: {rule.shown_key}: {rule.doubt}")
        if snapshot.inactive:
            say(console, f"{group}: rules switched off by their status: {snapshot.inactive}")
    return ExitCode.OK
