"""An output that takes messages and never confirms them is said, told so, and shown until it does."""

from __future__ import annotations

import pytest
from support.gatesink import GateSink

from traptor.worker.delivery.patience import Front
from traptor.worker.delivery.watch import OutputWatch

FRONT = Front("batch", 3)


def test_an_output_that_confirms_nothing_is_told_again_and_again_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = GateSink()
    watch = OutputWatch(sink, timeout_s=10.0)
    for now in range(100, 116):
        watch.look(FRONT, backlog=3, now=float(now))
    assert watch.unconfirmed_since == 100.0
    assert sink.unconfirmed == [100.0] * 6
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("ERROR", "the output confirms nothing")
    assert record.fields == {"messages": 3, "for_s": 10.0}  # type: ignore[attr-defined]  # ours


def test_the_end_is_said_and_no_longer_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    sink = GateSink()
    watch = OutputWatch(sink, timeout_s=10.0)
    watch.look(FRONT, backlog=3, now=100.0)
    watch.look(FRONT, backlog=3, now=110.0)
    watch.look(None, backlog=0, now=111.0)
    assert watch.unconfirmed_since is None
    assert caplog.messages[-1] == "the output confirms messages again"
    assert caplog.records[-1].fields == {"after_s": 11.0}  # type: ignore[attr-defined]  # ours
    told = len(sink.unconfirmed)
    watch.look(None, backlog=0, now=112.0)
    assert len(sink.unconfirmed) == told
    assert len(caplog.records) == 2
