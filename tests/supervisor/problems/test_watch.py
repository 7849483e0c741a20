"""Problems are logged when they begin, when their reason changes, and when they end; once each."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.problems.watch import Watch


def problem(
    kind: str, after_s: float = 0.0, key: str | None = None, name: str = "c", *, elsewhere: bool = False
) -> OpenProblem:
    return OpenProblem(
        Subject.CONNECTION, name, kind, kind, "x", logging.ERROR, after_s, key=key, rules=1,
        is_said_elsewhere=elsewhere,
    )  # fmt: skip


def test_another_reason_is_said_and_what_was_not_said_ends_in_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    watch = Watch()
    watch.look([problem("blip", 5.0)], 0.0)
    watch.look([], 4.0)
    assert not caplog.records
    watch.look([problem("one", key="k1")], 10.0)
    watch.look([problem("one", key="k2")], 11.0)
    watch.look([problem("two")], 12.0)
    watch.look([problem("two")], 13.0)
    watch.look([problem("blip", 5.0)], 14.0)
    watch.look([], 15.0)
    said = [(record.message, cast(Any, record).fields) for record in caplog.records]
    assert [(event, about.get("why"), about.get("after_s")) for event, about in said] == [
        ("rules are not collected", "one", None),
        ("rules are not collected", "one", None),
        ("rules are not collected", "two", None),
        ("rules no longer wait", None, 5.0),
    ]


def test_what_is_said_elsewhere_has_no_second_line_and_is_listed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = Watch()
    one = problem("one", elsewhere=True)
    watch.look([one], 0.0)
    assert [shown for shown, _ in watch.lasting()] == [one]
    watch.look([], 1.0)
    assert not list(watch.lasting())
    assert not caplog.records


def test_two_kinds_of_one_group_are_two_problems() -> None:
    watch = Watch()
    both = [
        OpenProblem(Subject.HEARTBEAT, "track:0", kind, "why", "todo", logging.WARNING)
        for kind in ("withheld", "shared")
    ]
    watch.look(both, 0.0)
    assert [one for one, _ in watch.lasting()] == both
