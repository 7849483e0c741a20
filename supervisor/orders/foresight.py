"""Tell what a reload would change, before it is made. Nothing is applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from traptor.common.config.settings import Settings
from traptor.common.errors import ConfigError
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.keys.addresses import is_on_this_host
from traptor.supervisor.keys.ring import PoolChange
from traptor.supervisor.reload import read_again
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.workers.settings import worker_settings


def foresee(context: Context, groups: Groups) -> dict[str, Any]:
    """Return what the files' present content would change, as plain JSON values without secrets.

    `refused` lists why it would change nothing. `suspect` names the groups whose rules Redis no longer has:
    they stream on, unless the reload accepts that they are gone.
    """
    suspect = [str(group.id) for group in groups.all() if group.suspect]
    try:
        new = read_again(context.settings)
    except ConfigError as error:
        return _answer(suspect, refused=[str(problem) for problem in error.problems])
    changes = new.changes(context.settings)
    keys = context.pool.ring.difference(new.keys, is_on_this_host)
    return _answer(
        suspect,
        options={
            "live": [str(option) for option in changes.live],
            "refresh": [str(option) for option in changes.refresh],
            "restart": [str(option) for option in changes.restart],
        },
        keys={what: list(names) for what, names in asdict(keys).items()},
        connections=list(_connections(context, new, keys)),
        warnings=list(new.warnings),
    )


def _answer(suspect: list[str], **parts: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "refused": [],
        "options": {"live": [], "refresh": [], "restart": []},
        "keys": asdict(PoolChange()),
        "connections": [],
        "warnings": [],
    }
    return {**nothing, "suspect": suspect, **parts}


def _connections(context: Context, new: Settings, keys: PoolChange) -> Iterator[dict[str, str]]:
    """Yield what happens to each connection that something happens to."""
    kept = new.keeping_what_needs_a_restart(context.settings)
    is_refreshed = worker_settings(kept).fingerprint != worker_settings(context.settings).fingerprint
    for c in sorted(context.connections.values(), key=lambda c: c.name):
        if c.is_planned and (what := _what(c, new, keys, is_refreshed)):
            yield {"connection": c.name, "effect": what[0], "why": what[1]}


def _what(c: Connection, new: Settings, keys: PoolChange, is_refreshed: bool) -> tuple[str, str] | None:
    if c.group is not None and not new.traptor.groups.serves(c.group):
        return "ends", "its group is no longer served"
    if c.is_stopped or c.serving is None:
        return None
    key = c.serving.key_name
    if _has(keys.removed, key):
        return "moves", f"key {key} is removed"
    if _has(keys.changed, key):
        return "refreshed", f"key {key} is changed"
    return ("refreshed", "options of its worker are changed") if is_refreshed else None


def _has(names: Iterable[str], key: str | None) -> bool:
    return key is not None and key in names
