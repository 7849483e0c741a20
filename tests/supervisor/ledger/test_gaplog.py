"""Gaps as lines of the log."""

from __future__ import annotations

import pytest

from traptor.supervisor.gaps.interval import GapCause, Instant, Interval, IntervalKind
from traptor.supervisor.ledger import gaplog
from traptor.supervisor.ledger.gaplog import GapLog


def interval(kind: IntervalKind, cause: GapCause | None) -> Interval:
    return Interval("track:0", kind, cause, Instant(100.0, 0.0), Instant(101.0, 1.0), 1)


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
