"""What a supervisor's own status says is not as it should be."""

from __future__ import annotations

from typing import Any

from traptor.supervisor.checks.running import Running
from traptor.supervisor.control.client import (
    SeenConnection,
    SeenGeneration,
    SeenGroup,
    SeenJob,
    SeenKey,
    SeenStatus,
    SeenUse,
)

GOOD: dict[str, Any] = {
    "pid": 7,
    "redis_uses": [SeenUse("rules", "ok", None)],
    "jobs": [SeenJob("hints", None)],
    "groups": [SeenGroup("track:0")],
    "connections": [],
    "keys": [SeenKey("k1", "OK", 3, None)],
}


def connection(name: str, state: str, waits_for: str | None = None) -> SeenConnection:
    serving = SeenGeneration(state, "k1") if state in ("STREAMING", "READY") else None
    return SeenConnection(name, "UP" if serving else state, 3, waits_for, None, serving, None)


def doubts(**members: Any) -> list[str]:
    return list(Running(7, SeenStatus(**(GOOD | members))).doubts())


def test_nothing_is_doubted_of_one_that_streams_and_of_what_nobody_expects_to_stream() -> None:
    streams = [
        connection("track:0", "STREAMING"),
        connection("follow:7", "QUIET"),
        connection("a", "STOPPED"),
    ]
    assert doubts(connections=streams) == []


def test_each_connection_without_a_stream_is_named_with_its_reason() -> None:
    found = doubts(
        connections=[
            connection("track:0", "STREAMING"),
            connection("track:0.2", "WAITING_FOR_KEY", "no key is free"),
            connection("track:1", "READY"),
        ]
    )
    assert found == ["track:0.2 does not stream: no key is free", "track:1 does not stream: READY"]


def test_that_nothing_streams_at_all_comes_first() -> None:
    found = doubts(connections=[connection("track:0", "REFUSED", "the server refuses its rules")])
    assert found == ["nothing streams", "track:0 does not stream: the server refuses its rules"]


def test_what_else_goes_wrong_is_said() -> None:
    found = doubts(
        redis_uses=[SeenUse("heartbeats", "refused", "READONLY")],
        jobs=[SeenJob("health", "OSError: x")],
        groups=[SeenGroup("track:0", heartbeat_shared=True)],
        keys=[SeenKey("k1", "QUARANTINED", 5, None), SeenKey("k2", "OK", 0, None)],
    )
    assert [text.split(":")[0] for text in found] == [
        "the supervisor cannot use Redis for its heartbeats (refused)",
        "the job 'health' of the supervisor fails",
        "somebody else writes track",
        "key k1 is QUARANTINED",
        "key k2 has no connects left",
    ]


def test_one_that_does_not_answer_is_said_with_why() -> None:
    assert list(Running(7, None, "no answer in 10 s").doubts()) == [
        "the supervisor (pid 7) does not answer: no answer in 10 s"
    ]
