"""Gaps as lines of the log."""

from __future__ import annotations

import logging

import pytest

from traptor.supervisor.gaps.interval import GapCause, Instant, Interval, IntervalKind
from traptor.supervisor.ledger import gaplog
from traptor.supervisor.ledger.gaplog import GapLog


def interval(kind: IntervalKind, cause: GapCause | None) -> Interval:
    return Interval("track:0", kind, cause, Instant(100.0, 0.0), Instant(101.0, 1.0), 1)


LEVELS = {
    GapCause.START: logging.INFO,
    GapCause.BUDGET: logging.WARNING,
    GapCause.REFRESH: logging.INFO,
    GapCause.CRASH: logging.WARNING,
    GapCause.HUNG: logging.WARNING,
    GapCause.NO_KEY: logging.WARNING,
    GapCause.KEY_REFUSED: logging.WARNING,
    GapCause.RATE_LIMITED: logging.WARNING,
    GapCause.RULES_REFUSED: logging.WARNING,
    GapCause.NETWORK: logging.WARNING,
    GapCause.SERVER_CLOSE: logging.WARNING,
    GapCause.STALL: logging.WARNING,
    GapCause.OUTBOX_FULL: logging.WARNING,
    GapCause.OPERATOR_STOP: logging.INFO,
    GapCause.SHUTDOWN: logging.INFO,
    GapCause.MASTER_DOWN: logging.WARNING,
    GapCause.COST: logging.WARNING,
    GapCause.SLOT_HELD: logging.WARNING,
    GapCause.FOREIGN_FILTERS: logging.WARNING,
}

STREAMED = interval(IntervalKind.STREAMING, None)
GAP = interval(IntervalKind.GAP, GapCause.NO_KEY)


def test_of_very_many_gaps_at_once_the_first_are_said_and_the_rest_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(gaplog, "_MOST_LINES", 3)
    gaps = GapLog()
    with gaps.at_once():
        for each in (STREAMED, GAP, GAP, STREAMED, GAP, GAP, GAP):
            gaps.take(each)
    assert [record.message for record in caplog.records] == ["gap"] * 3 + ["more gaps are only in the ledger"]
    assert caplog.records[-1].__dict__["fields"] == {"count": 2}
    gaps.take(GAP)
    assert caplog.records[-1].message == "gap"


def test_few_gaps_are_all_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gaps = GapLog()
    with gaps.at_once():
        gaps.take(GAP)
    assert [record.message for record in caplog.records] == ["gap"]


def test_streaming_time_is_no_gap(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    GapLog().take(STREAMED)
    assert not caplog.records


def test_a_gap_that_is_intended_is_no_warning_and_every_other_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gaps = GapLog()
    for cause in GapCause:
        gaps.take(interval(IntervalKind.GAP, cause))
    told = {record.__dict__["fields"]["cause"]: record.levelno for record in caplog.records}
    assert told == LEVELS
