"""What has the same cause is one line, and what has a cause of its own is never hidden beneath another."""

from __future__ import annotations

from logging import ERROR, WARNING
from typing import Any

import pytest

from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.problems.causes import heads
from traptor.supervisor.problems.problem import OpenProblem, Subject


def problem(
    subject: Subject, name: str, kind: str = "no_key", why: str = "no key is free", **parts: Any
) -> Any:
    level = ERROR if subject in (Subject.ALL, Subject.CONNECTION) else WARNING
    return OpenProblem(subject, name, kind, why, "mend it", level, **parts)


def connection(name: str, why: str = "no key is free", kind: str = WaitKind.NO_KEY, **parts: Any) -> Any:
    return problem(Subject.CONNECTION, name, kind, why, **parts)


def key(name: str) -> Any:
    return problem(Subject.KEY, name, "QUARANTINED", "HTTP 401")


def redis(use: str, kind: str = "away", why: str = "Connection refused") -> Any:
    return problem(Subject.REDIS, use, kind, why)


NO_BROKER = problem(Subject.OUTPUT, "kafka", "failing", "no broker")


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        ([], []),
        ([connection("track:0"), connection("follow:0"), connection("follow:1", "crashed")], [None, 0, None]),
        (
            [problem(Subject.ALL, ""), connection("track:0", key="k1, k2"), key("k1"), key("k2"), key("k3")],
            [None, 0, 0, 0, None],
        ),
        (
            [
                connection("track:0.2", "a"),
                connection("follow:0", "b"),
                problem(Subject.HEARTBEAT, "follow:0", "withheld", "b"),
                problem(Subject.HEARTBEAT, "track:0", "withheld", "another reason"),
                problem(Subject.HEARTBEAT, "track:0", "shared", "somebody else"),
            ],
            [None, None, 1, 0, None],
        ),
        ([redis("rules"), redis("counters"), redis("heartbeats", why="timed out")], [None, 0, 0]),
        (
            [redis("rules", "refused", "no right"), redis("counters", "refused", "out of memory")],
            [None, None],
        ),
        (
            [
                problem(Subject.ALL, "", "not_ready", "no rules are known yet: Redis: refused"),
                redis("rules", why="Redis: refused"),
                redis("counters", why="timed out"),
            ],
            [None, 0, 0],
        ),
        (
            [
                connection("track:0", "its outbox is full", WaitKind.OUTBOX_FULL),
                NO_BROKER,
            ],
            [None, 0],
        ),
        ([connection("track:0", "a"), NO_BROKER], [None, None]),
        (
            [
                connection("v2:one", "daily_posts is reached", WaitKind.CAPPED),
                problem(Subject.APP, "one", "capped", "daily_posts is reached: 5 of 5"),
                problem(Subject.APP, "one", "sync", "X is away"),
                problem(Subject.APP, "two", "capped", "daily_posts is reached: 5 of 5"),
            ],
            [None, 0, None, None],
        ),
        (
            [
                connection("v2:one", "no filter is in effect", WaitKind.EFFECT),
                problem(Subject.APP, "one", "unfit", "no filter is free"),
            ],
            [None, 0],
        ),
    ],
)
def test_a_problem_is_beneath_the_worst_one_of_its_cause(
    problems: list[OpenProblem], expected: list[int | None]
) -> None:
    assert heads(problems) == expected
