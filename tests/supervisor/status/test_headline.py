"""One line for the service manager."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.status.headline import headline


def connection(rules: int, streams: bool, is_planned: bool = True) -> Connection:
    wanted = SimpleNamespace(rules=range(rules))
    return cast(
        Connection, SimpleNamespace(name="track:0", is_planned=is_planned, collects=streams, wanted=wanted)
    )


def test_all_well_is_counted() -> None:
    line = headline(None, 0, [connection(5000, True), connection(352, False), connection(0, False, False)])
    assert line == "1 of 2 connections streaming, 5,352 rules"


def test_the_worst_problem_is_the_line() -> None:
    assert headline("follow:0 NOT COLLECTING", 1, []) == "follow:0 NOT COLLECTING"
    assert headline("worst", 3, []) == "worst (and 2 more)"
