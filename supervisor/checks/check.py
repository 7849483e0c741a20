"""`--check`: report at once everything that prevents a supervisor from collecting, now or later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis.asyncio
from rich.console import Console

from traptor.common.config.sections.redis import RedisSection
from traptor.common.config.settings import Sections, Settings, load_sections, load_settings
from traptor.common.errors import ConfigError, ExitCode, RedisUnavailable, TraptorError
from traptor.common.redis.client import REDIS_ERRORS, ask, redis_client, unavailable, was_pong
from traptor.common.terminal import say
from traptor.common.text import counted
from traptor.supervisor.checks import host
from traptor.supervisor.checks.appplan import AppPlan, planned_apps, plans_of_apps
from traptor.supervisor.checks.appreport import (
    by_rule,
    caps_of,
    differences_of,
    fills_of,
    filters_of,
    foreign_of,
    load_of,
    price_of,
)
from traptor.supervisor.checks.keys import idle_keys
from traptor.supervisor.checks.plan import RulesFound, cold_plan, fresh_pool, read_rules, remembered_pool
from traptor.supervisor.checks.probe import probe_output
from traptor.supervisor.checks.redis import find_foreign_heartbeats, find_unknown_types
from traptor.supervisor.checks.running import Running, find_running, shared_heartbeat
from traptor.supervisor.filters.sync.goal import ForeignFilters
from traptor.supervisor.host.trust import distrusted, written_folders
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.state.locks import lock_holder
from traptor.supervisor.workers.settings import worker_settings


@dataclass
class Findings:
    """The findings of a check; the exit code follows from them."""

    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    configuration: list[str] = field(default_factory=list)  # errors that require another configuration
    failures: list[str] = field(default_factory=list)  # errors of the environment

    @property
    def exit_code(self) -> ExitCode:
        """The code that tells whether a supervisor could start and collect."""
        if self.configuration:
            return ExitCode.BAD_CONFIG
        return ExitCode.FAILURE if self.failures else ExitCode.OK


async def check(path: Path, console: Console) -> ExitCode:
    """Print a report and return whether the supervisor could start: BAD_CONFIG, FAILURE or OK."""
    found = Findings()
    try:
        settings = load_settings(path)
    except ConfigError as error:
        found.configuration += map(str, error.problems)
        await _check_sections(load_sections(path), found)
    else:
        await _check_settings(settings, found)
    _report(path, found, console)
    return found.exit_code


def _report(path: Path, found: Findings, console: Console) -> None:
    errors = [*found.configuration, *found.failures]
    for fact in found.facts:
        say(console, fact)
    for kind, texts in (("warning", found.warnings), ("error", errors)):
        for text in texts:
            say(console, f"{kind}: {text}")
    problems = "no errors" if not errors else counted(len(errors), "error")
    say(console, f"{path}: {problems}, {counted(len(found.warnings), 'warning')}.")


# ---- an ini with errors


async def _check_sections(sections: Sections, found: Findings) -> None:
    """Check what the valid sections name."""
    _check_host(sections, found)
    if sections.supervisor is not None:
        _note_running(await find_running(sections.supervisor.run_dir), found)
    if sections.redis is not None:
        await _check_redis(sections.redis, found)


async def _check_redis(section: RedisSection, found: Findings) -> None:
    client = _client(section)
    try:
        await ask(client, client.ping(), was_pong)
    except REDIS_ERRORS as error:
        found.failures.append(str(unavailable(client, error)))
    finally:
        await client.aclose()


def _client(section: RedisSection) -> redis.asyncio.Redis:
    return redis_client(section.url, section.timeout, section.ca_file)


# ---- a valid ini


async def _check_settings(settings: Settings, found: Findings) -> None:
    found.warnings += settings.warnings
    _check_host(Sections(settings.traptor, settings.supervisor, settings.redis), found)
    found.warnings += host.absent_addresses(settings.keys)
    running = await find_running(settings.supervisor.run_dir)
    if running is None:
        _check_state_lock(settings.supervisor.state_dir, found)
    now = time.monotonic()
    pool = _pool(settings, found, now)
    try:
        await _check_rules(settings, pool, running, found, now)
    except RedisUnavailable as error:
        found.failures.append(str(error))
    _note_running(running, found)
    if running is None:
        statuses = [key for key in pool.statuses(now) if key.state is not KeyState.UNUSABLE]
        found.warnings += idle_keys(statuses, now)
    _check_output(settings, found)
    room = host.connections_that_fit()
    found.facts.append(
        f"{counted(len(settings.keys), 'key')}; room for {counted(room, 'connection')} (file descriptors)."
    )


def _check_host(sections: Sections, found: Findings) -> None:
    folders = host.folders(sections.traptor, sections.supervisor)
    found.configuration += host.unusable_folders(folders)
    found.configuration += map(str, distrusted(written_folders(sections.traptor, sections.supervisor)))
    found.configuration += host.socket_problems(sections.supervisor)
    found.warnings += host.full_disks(folders)


def _check_state_lock(state_dir: Path, found: Findings) -> None:
    if (pid := lock_holder(state_dir / "lock")) is not None:
        found.failures.append(
            f"state_dir: {state_dir} is held by another supervisor (pid {pid}): this one would not start;"
            " stop that one, or name another folder"
        )


def _pool(settings: Settings, found: Findings, now: float) -> KeyPool:
    try:
        return remembered_pool(settings, now)
    except TraptorError as error:
        found.failures.append(str(error))
        return fresh_pool(settings, now)


async def _check_rules(
    settings: Settings, pool: KeyPool, running: Running | None, found: Findings, now: float
) -> None:
    look = await read_rules(settings)
    apps = await plans_of_apps(settings, look)
    planned = planned_apps(apps) if apps else cold_plan(settings, look.snapshots, pool, now)
    rules = sum(len(snapshot.rules) for snapshot in look.snapshots.values())
    counts = (
        counted(len(look.snapshots), "group"),
        counted(rules, "rule"),
        counted(len(planned), "connection"),
    )
    found.facts.append(f"Redis answers: {', '.join(counts)}.")
    found.warnings += [f"{rejected.shown_key}: {rejected.reason}" for rejected in look.rejected]
    found.warnings += by_rule("doubtful", look.doubtful)
    _check_apps(apps, found)
    waiting = sorted(row.name for row in planned if row.key is None)
    if waiting and running is None:
        found.warnings.append(f"no key for {', '.join(waiting)}: add keys, or they wait")
    if len(planned) > host.connections_that_fit():
        found.warnings.append("more connections than the limit of open files allows: raise LimitNOFILE")
    await _check_what_else_is_in_redis(settings, look, running, found)


def _check_apps(apps: Sequence[AppPlan], found: Findings) -> None:
    for plan in apps:
        told = "; ".join((filters_of(plan), load_of(plan), price_of(plan), caps_of(plan)))
        found.facts.append(f"{plan.connection}: {told}.")
        if plan.trouble:
            found.failures.append(
                f"{plan.connection}: X does not tell which filters stand there: {plan.trouble}"
            )
        holds = plan.foreign and plan.limits.policy is ForeignFilters.REFUSE
        (found.failures if holds else found.warnings).extend(foreign_of(plan))
        found.warnings += by_rule("no filter for", plan.composed.waiting)
        found.warnings += by_rule("v2 cannot express", plan.composed.refused)
        found.warnings += by_rule("doubtful", plan.doubts)
    if apps:
        found.facts += differences_of(apps)
        found.facts += [f"{plan.connection}: {text}." for plan in apps for text in fills_of(plan)]


async def _check_what_else_is_in_redis(
    settings: Settings, look: RulesFound, running: Running | None, found: Findings
) -> None:
    client = _client(settings.redis)
    try:
        found.warnings += (await find_unknown_types(client)).doubts()
        if running is None:
            interval_s = settings.supervisor.heartbeat_interval
            foreign = await find_foreign_heartbeats(client, list(look.snapshots), interval_s)
            found.warnings += map(shared_heartbeat, map(str, foreign))
    finally:
        await client.aclose()


def _note_running(running: Running | None, found: Findings) -> None:
    if running is None:
        return
    found.facts.append(running.summary())
    found.warnings += running.doubts()


def _check_output(settings: Settings, found: Findings) -> None:
    workers = worker_settings(settings)
    if workers.kafka is None:
        return
    probe = probe_output(workers)
    if probe.is_good:
        found.facts.append(probe.text)
    else:
        found.failures.append(f"Kafka: {probe.text}")
