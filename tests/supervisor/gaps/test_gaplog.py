"""The lines about gaps."""

from __future__ import annotations

import logging

import pytest

from traptor.supervisor.gaps import gaplog
from traptor.supervisor.gaps.interval import GapCause, Instant, Interval, IntervalKind

INTENDED = {GapCause.START, GapCause.REFRESH, GapCause.SHUTDOWN, GapCause.OPERATOR_STOP}


@pytest.mark.parametrize("cause", GapCause)
def test_a_gap_that_was_intended_is_no_warning(cause: GapCause, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    interval = Interval("track:0", IntervalKind.GAP, cause, Instant(100.0, 1.0), Instant(101.0, 2.0))
    gaplog.record([interval])
    [record] = caplog.records
    assert record.levelname == ("INFO" if cause in INTENDED else "WARNING")
    assert record.message == "gap"
