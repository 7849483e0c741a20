"""A supervisor is ready once it collects, and as long as anything is collected."""

from __future__ import annotations

from typing import Any

import pytest

from traptor.supervisor.status.readiness import unreadiness


def connection(*, collecting: bool = False, rules: int = 1, state: str = "UP") -> dict[str, Any]:
    return {"collecting": collecting, "rules": rules, "state": state}


def status(*connections: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "stopping": False, "ready": True, "health": "ok", "openings": [], "groups": [],
        "connections": list(connections), **parts,
    }  # fmt: skip


STREAMED = [{"key": "k1", "outcome": "stream", "count": 1}]


@pytest.mark.parametrize(
    ("seen", "reasons"),
    [
        (status(ready=False), ["starting: the rules are being read"]),
        (status(groups=[{"rules": 2}]), ["starting: nothing is planned yet"]),
        (status(connection()), ["starting: no connection streams yet"]),
        (status(connection(), openings=[{"key": "k1", "outcome": "http", "count": 2}]),
         ["starting: no connection streams yet"]),
        (status(connection(collecting=True), connection()), []),
        (status(connection(), openings=STREAMED), []),  # a blip: nothing is down yet
        (status(connection(), openings=STREAMED, health="down"), ["nothing is collected"]),
        (status(connection(collecting=True), stopping=True), ["stopping"]),
        (status(), []),  # without rules nothing is wanted
        (status(connection(state="STOPPED"), connection(rules=0, state="QUIET")), []),
    ],
)  # fmt: skip
def test_it_is_ready_once_it_collects_and_while_anything_is_collected(
    seen: dict[str, Any], reasons: list[str]
) -> None:
    assert list(unreadiness(seen)) == reasons
