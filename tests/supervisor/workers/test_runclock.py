"""The clock that stands still while the master does not run."""

from __future__ import annotations

import pytest

from traptor.supervisor.workers.runclock import TICK_S, RunClock


def test_it_counts_the_time_between_regular_ticks() -> None:
    clock = RunClock(100.0)
    for step in range(1, 11):
        clock.tick(100.0 + step * TICK_S)
    assert clock.read(100.0 + 10 * TICK_S + 0.1) == pytest.approx(10 * TICK_S + 0.1)


def test_an_hour_in_which_the_master_was_stopped_hardly_counts() -> None:
    clock = RunClock(0.0)
    clock.tick(0.5)
    clock.tick(3600.5)
    assert clock.read(3600.5) < 5


def test_it_stands_still_before_the_late_tick_too() -> None:
    clock = RunClock(0.0)
    assert clock.read(3600.0) < 5
