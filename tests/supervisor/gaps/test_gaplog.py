"""Gaps as lines of the log."""

from __future__ import annotations

import pytest

from traptor.supervisor.gaps import gaplog
from traptor.supervisor.gaps.interval import GapCause, Instant, Interval, IntervalKind


def interval(kind: IntervalKind, cause: GapCause | None) -> Interval:
    return Interval("track:0", kind, cause, Instant(100.0, 0.0), Instant(101.0, 1.0), 1)


def test_of_very_many_gaps_at_once_the_first_are_said_and_the_rest_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(gaplog, "_MOST_LINES", 3)
    streamed = interval(IntervalKind.STREAMING, None)
    gap = interval(IntervalKind.GAP, GapCause.NO_KEY)
    gaplog.record_many([streamed, gap, gap, streamed, gap, gap, gap])
    assert [record.message for record in caplog.records] == ["gap"] * 3 + ["more gaps are only in the ledger"]
    assert caplog.records[-1].__dict__["fields"] == {"count": 2}


def test_few_gaps_are_all_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gaplog.record_many([interval(IntervalKind.GAP, GapCause.NO_KEY)])
    assert [record.message for record in caplog.records] == ["gap"]
