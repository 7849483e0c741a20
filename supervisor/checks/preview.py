"""`--plan`: print the connections that a supervisor would run, and how a running one differs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from traptor.common.config.settings import Settings
from traptor.common.errors import ExitCode, TraptorError
from traptor.common.terminal import say
from traptor.common.text import counted, one_line
from traptor.supervisor.checks.appplan import planned_apps, plans_of_apps
from traptor.supervisor.checks.appreport import as_json, by_rule, print_apps
from traptor.supervisor.checks.difference import UNKNOWN, Comparison, compare
from traptor.supervisor.checks.keys import idle_keys
from traptor.supervisor.checks.plan import (
    PlannedConnection,
    RulesFound,
    cold_plan,
    fresh_pool,
    read_rules,
    remembered_pool,
)
from traptor.supervisor.checks.running import Running, find_running
from traptor.supervisor.keys.pool import KeyPool

_RIGHT = ("rules", "values")


async def preview(settings: Settings, console: Console) -> ExitCode:
    """Print the plan. Raises RedisUnavailable, after printing what can be told without Redis."""
    running = await find_running(settings.supervisor.run_dir)
    try:
        look = await read_rules(settings)
    except TraptorError:
        if running is not None:
            _print_running(console, running, None)
        raise
    now = time.monotonic()
    pool = _pool(settings, console, now)
    apps = await plans_of_apps(settings, look)
    planned = planned_apps(apps) if apps else cold_plan(settings, look.snapshots, pool, now)
    if running is not None:
        _print_running(console, running, planned)
    if running is None or running.status is None:
        _print_planned(console, planned, len(settings.keys))
        _warn(console, idle_keys(pool.statuses(now), now))
    if apps:
        print_apps(console, apps)
    _print_left_out(console, look)
    return ExitCode.OK


async def preview_json(settings: Settings) -> dict[str, Any]:
    """Return the plan of a supervisor that starts now, for programs. Raises RedisUnavailable."""
    look = await read_rules(settings)
    apps = await plans_of_apps(settings, look)
    now = time.monotonic()
    planned = planned_apps(apps) or cold_plan(settings, look.snapshots, remembered_pool(settings, now), now)
    return {
        "api": settings.traptor.api,
        "connections": [asdict(row) for row in sorted(planned, key=lambda row: row.name)],
        "apps": [as_json(plan) for plan in apps],
        "rejected": [{"key": rule.key, "reason": rule.reason} for rule in look.rejected],
        "doubtful": [{"key": rule.key, "reason": rule.reason} for rule in look.doubtful],
        "inactive": {str(group): one.inactive for group, one in sorted(look.snapshots.items())},
    }


def _pool(settings: Settings, console: Console, now: float) -> KeyPool:
    try:
        return remembered_pool(settings, now)
    except TraptorError as error:
        _warn(console, [str(error)])
        return fresh_pool(settings, now)


# ---- no supervisor runs


def _print_planned(console: Console, planned: Iterable[PlannedConnection], keys: int) -> None:
    rows = sorted(planned, key=lambda row: row.name)
    table = _table("Connections that would run", "connection", "rules", "values", "key", "source address")
    for row in rows:
        key = Text("waits for a key", style="bold red") if row.key is None else row.key
        table.add_row(row.name, f"{row.rules:,}", f"{row.values:,}", key, row.source_address or "default")
    console.print(table)
    waiting = sum(row.key is None for row in rows)
    planned_words = f"{counted(len(rows), 'connection')}, {counted(keys, 'key')}"
    say(console, f"{planned_words}; {waiting} would wait for a key.")


# ---- a supervisor runs


def _print_running(console: Console, running: Running, planned: Iterable[PlannedConnection] | None) -> None:
    """Print what the supervisor does; `planned` is None when the result of a fresh start is unknown."""
    if running.status is not None:
        _print_comparison(console, running.pid, compare(running.status.connections, planned))
    _warn(console, running.doubts())


def _print_comparison(console: Console, pid: int, rows: list[Comparison]) -> None:
    table = _table(
        f"What the supervisor does (pid {pid})",
        *("connection", "rules", "state", "key", "waits for", "a fresh start"),
    )
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    _say_sums(console, rows)


def _cells(row: Comparison) -> list[str | Text]:
    style = "" if row.streams or row.state == "QUIET" else "bold red"
    return [
        row.name,
        f"{row.rules:,}",
        Text(row.state, style=style),
        row.key or "",
        one_line(row.waits),
        Text(row.fresh, style="bold yellow" if row.differs else ""),
    ]


def _say_sums(console: Console, rows: list[Comparison]) -> None:
    streaming = sum(row.streams for row in rows)
    differ = sum(row.differs for row in rows)
    change = f"{differ} of them" if differ else "nothing"
    fresh = "" if any(row.fresh == UNKNOWN for row in rows) else f"; a fresh start would change {change}"
    say(console, f"Streaming: {streaming} of {counted(len(rows), 'connection')}{fresh}.")


# ---- further findings


def _warn(console: Console, doubts: Iterable[str]) -> None:
    for doubt in doubts:
        say(console, f"warning: {doubt}")


def _print_left_out(console: Console, look: RulesFound) -> None:
    for rejected in look.rejected:
        say(console, f"rejected: {rejected.shown_key}: {rejected.reason}")
    for line in by_rule("doubtful", look.doubtful):
        say(console, line)
    for group, snapshot in sorted(look.snapshots.items()):
        if snapshot.inactive:
            say(console, f"{group}: rules switched off by their status: {snapshot.inactive}")


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _RIGHT else "left")
    return table
