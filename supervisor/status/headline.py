"""The state of everything in one line, for the service manager: the worst problem, or the counts."""

from __future__ import annotations

from collections.abc import Iterable

from traptor.common.text import counted
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.workers.leftovers import is_second


def headline(worst: str | None, problems: int, connections: Iterable[Connection]) -> str:
    """Return the sentence of the worst problem and how many others there are, or how much is collected."""
    if worst is None:
        return _counts(connections)
    return f"{worst} (and {problems - 1} more)" if problems > 1 else worst


def _counts(connections: Iterable[Connection]) -> str:
    planned = [c for c in connections if c.is_planned]
    rules = sum(len(c.wanted.rules) for c in planned if c.wanted is not None and not is_second(c.name))
    streaming = sum(c.collects for c in planned)
    return f"{streaming} of {counted(len(planned), 'connection')} streaming, {counted(rules, 'rule')}"
