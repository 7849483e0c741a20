"""`--check`: everything that would keep a supervisor from collecting, said at once."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from traptor.common.config.settings import Settings, load_redis_section, load_settings
from traptor.common.errors import ConfigError, ExitCode, RedisUnavailable
from traptor.common.redisclient import REDIS_ERRORS, redis_client, unavailable
from traptor.common.terminal import say
from traptor.common.text import counted
from traptor.supervisor.control.server import socket_path
from traptor.supervisor.keys.addresses import is_on_this_host
from traptor.supervisor.preview import cold_plan, read_rules
from traptor.supervisor.probe import probe_output
from traptor.supervisor.workers.settings import worker_settings

# Per connection the master holds a socket, a pidfd, a log queue and two pipes; twice that during a refresh.
_DESCRIPTORS_PER_CONNECTION = 12
_DESCRIPTORS_OF_MASTER = 64


async def check(path: Path, console: Console) -> ExitCode:
    """Print a report. Its exit code says whether the supervisor could start: BAD_CONFIG, FAILURE or OK."""
    try:
        settings = load_settings(path)
    except ConfigError as error:
        problems = [*map(str, error.problems), *await _check_redis(path)]
        for problem in problems:
            say(console, f"error: {problem}")
        say(console, f"{counted(len(problems), 'problem')}.")
        return ExitCode.BAD_CONFIG
    errors = list(_host_problems(settings))
    warnings = [*settings.warnings, *_address_problems(settings)]
    redis_error = await _check_rules(settings, console, warnings)
    output_error = _check_output(settings, console)
    for text in warnings:
        say(console, f"warning: {text}")
    for text in (*errors, *redis_error, *output_error):
        say(console, f"error: {text}")
    say(
        console,
        f"{counted(len(settings.keys), 'key')}; room for {connections_that_fit()} connections"
        " (file descriptors).",
    )
    if errors:
        return ExitCode.BAD_CONFIG
    if redis_error or output_error:
        return ExitCode.FAILURE
    say(console, f"{path}: no errors, {counted(len(warnings), 'warning')}.")
    return ExitCode.OK


def connections_that_fit() -> int:
    """How many connections the limit of open files allows (the supervisor raises it to the hard limit)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, (hard - _DESCRIPTORS_OF_MASTER) // _DESCRIPTORS_PER_CONNECTION)


async def _check_redis(path: Path) -> list[str]:
    """Whether Redis answers, where the ini is wrong elsewhere."""
    section = load_redis_section(path)
    if section is None:
        return []
    client = redis_client(section.url, section.timeout, section.ca_file)
    try:
        await client.ping()
    except REDIS_ERRORS as error:
        return [str(unavailable(client, error))]
    finally:
        await client.aclose()
    return []


async def _check_rules(settings: Settings, console: Console, warnings: list[str]) -> list[str]:
    try:
        snapshots = await read_rules(settings)
    except RedisUnavailable as error:
        return [str(error)]
    plan = cold_plan(settings, snapshots)
    rules = sum(len(snapshot.rules) for snapshot in snapshots.values())
    found = (counted(len(snapshots), "group"), counted(rules, "rule"), counted(len(plan), "connection"))
    say(console, f"Redis answers: {', '.join(found)}.")
    for snapshot in snapshots.values():
        warnings += [f"{rejected.shown_key}: {rejected.reason}" for rejected in snapshot.rejected]
        warnings += [f"{rule.shown_key}: {rule.doubt}" for rule in snapshot.doubtful]
    waiting = [row.name for row in plan if row.key is None]
    if waiting:
        warnings.append(f"no key for {', '.join(sorted(waiting))}: add keys, or they wait")
    if len(plan) > connections_that_fit():
        warnings.append("more connections than the limit of open files allows: raise LimitNOFILE")
    return []


def _check_output(settings: Settings, console: Console) -> list[str]:
    workers = worker_settings(settings)
    if workers.kafka is None:
        return []
    probe = probe_output(workers)
    if probe.is_good:
        say(console, probe.text)
        return []
    return [f"Kafka: {probe.text}"]


def _host_problems(settings: Settings) -> Iterator[str]:
    supervisor = settings.supervisor
    folders = {"run_dir": supervisor.run_dir, "state_dir": supervisor.state_dir}
    if supervisor.log_dir is not None:
        folders["log_dir"] = supervisor.log_dir
    kind, _, place = settings.traptor.output.partition(":")
    if kind == "jsonl" and place != "-":
        folders["output"] = Path(place)
    for name, folder in folders.items():
        if not _can_be_used(folder):
            yield f"{name}: {folder} cannot be made or written to; make it, or name another folder"
    try:
        socket_path(supervisor.run_dir)
    except ConfigError as error:
        yield from map(str, error.problems)


def _can_be_used(folder: Path) -> bool:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _address_problems(settings: Settings) -> Iterable[str]:
    for key in settings.keys:
        if key.source_address and not is_on_this_host(key.source_address):
            yield f"key {key.name}: source_address {key.source_address} is not on this host: it is not used"
