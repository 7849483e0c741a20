"""The line that a supervisor prints on the terminal once it has started."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from traptor.common import __version__
from traptor.common.config.settings import Settings
from traptor.common.redis.state import RedisState
from traptor.common.text import counted
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.workers.leftovers import is_second


def greeting(settings: Settings, connections: Iterable[Connection], rules: RedisState) -> str:
    """Return one line: the version, what is planned, where to look, and how to stop it."""
    supervisor = settings.supervisor
    logs = "on stdout" if supervisor.log_dir is None else f"in {_shown(supervisor.log_dir)}/"
    keys = counted(len(settings.keys), "key")
    return (
        f"traptor-supervisor {__version__}: {_planned(connections, rules)}, {keys};"
        f" logs {logs}, status in {_shown(supervisor.run_dir / 'status.json')}; Ctrl-C stops it"
    )


def _planned(connections: Iterable[Connection], rules: RedisState) -> str:
    if rules is not RedisState.OK:
        return f"Redis is {rules}, so no rules are known yet"
    planned = [(c.name, len(c.wanted.rules)) for c in connections if c.wanted is not None and c.wanted.rules]
    carried = sum(count for name, count in planned if not is_second(name))
    return f"{counted(len(planned), 'connection')} for {counted(carried, 'rule')}"


def _shown(path: Path) -> Path:
    """Return the path relative to the current folder if that is shorter."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
