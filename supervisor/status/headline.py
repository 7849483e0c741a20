"""The state of everything in one line, for the service manager: the first alarm, or the counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from traptor.common.text import counted
from traptor.supervisor.connections.connection import Connection


def headline(alarms: Sequence[Mapping[str, Any]], connections: Iterable[Connection]) -> str:
    """Return the most serious of the status's alarms with what to do, or how much is collected."""
    return _of_alarm(alarms[0], len(alarms) - 1) if alarms else _counts(connections)


def _of_alarm(alarm: Mapping[str, Any], others: int) -> str:
    about = "all connections" if alarm["what"] == "all" else f"{alarm['what']} {alarm['name']}"
    rules = f": {counted(alarm['rules'], 'rule')} NOT COLLECTED" if alarm["rules"] else ""
    until = f" until {_local(alarm['until'])}" if alarm["until"] is not None else ""
    more = f" (and {others} more)" if others else ""
    return f"{about}{rules} since {_local(alarm['since'])}: {alarm['why']}{until}; {alarm['todo']}{more}"


def _counts(connections: Iterable[Connection]) -> str:
    planned = [c for c in connections if c.is_planned]
    rules = sum(len(c.wanted.rules) for c in planned if c.wanted is not None)
    streaming = sum(c.streams for c in planned)
    return f"{streaming} of {counted(len(planned), 'connection')} streaming, {counted(rules, 'rule')}"


def _local(unix: float) -> str:
    """Return a Unix time to the minute, so that the line changes only with the state."""
    return f"{datetime.fromtimestamp(unix).astimezone():%Y-%m-%d %H:%M}"
