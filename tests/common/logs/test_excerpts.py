"""Beginnings of lines in the log."""

from __future__ import annotations

import logging

import pytest

from traptor.common.logs.excerpts import Excerpts

log = logging.getLogger(__name__)


def test_the_first_lines_of_a_minute_are_shown_each_by_its_beginning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    excerpts = Excerpts(log)
    for _ in range(30):
        excerpts.show("a line is odd", b"\xff" + b"x" * 1000)
    assert caplog.messages == ["a line is odd"] * 10
    assert {record.name for record in caplog.records} == {__name__}
    shown = caplog.records[0].__dict__
    assert "\ufffd" + "x" * 199 in str(shown)
    assert "x" * 200 not in str(shown)
