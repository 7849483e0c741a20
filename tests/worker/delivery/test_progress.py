"""What an operator reads while messages wait."""

from __future__ import annotations

import logging

import pytest

from traptor.worker.delivery.progress import Progress


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    lines = [(record.message, record.fields) for record in caplog.records]  # type: ignore[attr-defined]
    caplog.clear()
    return lines


def test_a_backlog_is_said_then_how_fast_it_shrinks_then_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress()
    progress.say(5, 500, now=0.0)
    progress.say(5, 500, now=1.9)
    assert said(caplog) == []
    progress.say(900, 90_000, now=2.0)
    assert said(caplog) == [("messages wait in the outbox", {"messages": 900, "bytes": 90_000})]
    progress.say(700, 70_000, now=11.9)
    assert said(caplog) == []
    progress.say(600, 60_000, now=12.0)
    about = {"messages": 600, "bytes": 60_000, "fewer_per_s": 30.0}
    assert said(caplog) == [("messages still wait in the outbox", about)]
    progress.say(0, 0, now=13.0)
    assert said(caplog) == [("all that waited in the outbox is delivered", {"waited_s": 13.0})]


def test_a_backlog_that_grows_is_an_error_once(caplog: pytest.LogCaptureFixture) -> None:
    """The output takes nothing: that is not less than a full disk."""
    caplog.set_level(logging.INFO)
    progress = Progress()
    for round_ in range(2):
        for second in range(62):
            progress.say(100 + second * 10, 5_000, round_ * 100.0 + second)
        progress.say(0, 0, round_ * 100.0 + 62)
    lines = [(record.levelname, record.message) for record in caplog.records]
    each = [
        ("WARNING", "messages wait in the outbox"),
        ("ERROR", "the outbox grows"),
        *[("INFO", "messages still wait in the outbox")] * 4,
        ("INFO", "all that waited in the outbox is delivered"),
    ]
    assert lines == each * 2


def test_what_is_delivered_soon_is_not_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress()
    for now in range(0, 60, 2):
        progress.say(50, 5_000, float(now))
        progress.say(0, 0, now + 1.0)
    assert said(caplog) == []
