"""The state of everything in one line, for the service manager: the worst problem, or the counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from traptor.common.text import counted
from traptor.supervisor.connections.connection import Connection


def headline(problems: Sequence[str], connections: Iterable[Connection]) -> str:
    """Return the sentence of the worst problem, or how much is collected."""
    if not problems:
        return _counts(connections)
    others = len(problems) - 1
    return f"{problems[0]} (and {others} more)" if others else problems[0]


def _counts(connections: Iterable[Connection]) -> str:
    planned = [c for c in connections if c.is_planned]
    rules = sum(len(c.wanted.rules) for c in planned if c.wanted is not None)
    streaming = sum(c.streams for c in planned)
    return f"{streaming} of {counted(len(planned), 'connection')} streaming, {counted(rules, 'rule')}"
