"""One line for the service manager."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.status.headline import headline

ALARM: dict[str, Any] = {
    "what": "connection",
    "name": "follow:0",
    "level": "ERROR",
    "why": "no key is free",
    "since": 1795428000.0,
    "until": None,
    "todo": "add a key",
    "key": None,
    "rules": 400,
}


def connection(rules: int, streams: bool, is_planned: bool = True) -> Connection:
    wanted = SimpleNamespace(rules=range(rules))
    return cast(Connection, SimpleNamespace(is_planned=is_planned, streams=streams, wanted=wanted))


def local(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix).astimezone():%Y-%m-%d %H:%M}"


def test_all_well_is_counted() -> None:
    line = headline([], [connection(5000, True), connection(352, False), connection(0, False, False)])
    assert line == "1 of 2 connections streaming, 5352 rules"


def test_the_first_alarm_says_what_since_when_why_and_what_to_do() -> None:
    line = headline([ALARM, ALARM, ALARM], [])
    begin = "connection follow:0: 400 rules NOT COLLECTED since "
    assert line == f"{begin}{local(ALARM['since'])}: no key is free; add a key (and 2 more)"


def test_an_alarm_for_all_with_an_end() -> None:
    line = headline([{**ALARM, "what": "all", "rules": None, "until": 1795428900.0}], [])
    until = local(1795428900.0)
    assert line == f"all connections since {local(ALARM['since'])}: no key is free until {until}; add a key"
