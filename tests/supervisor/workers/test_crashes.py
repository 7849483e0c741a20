"""Restarts after crashes: at once, then slower and slower, never never."""

import random

import pytest

from traptor.supervisor.workers.crashes import CrashBackoff, RestartLimits

LIMITS = RestartLimits(restart_backoff=1.0, restart_backoff_max=60.0, restart_reset_after=60.0)


def backoff(seed: int = 0) -> CrashBackoff:
    return CrashBackoff(LIMITS, random.Random(seed))


def test_the_first_crash_costs_no_wait() -> None:
    crashing = backoff()
    assert crashing.crashed(100.0, ran_for_s=3600.0) == 100.0
    assert crashing.not_before(100.0) is None


def test_waits_double_up_to_the_cap_and_jitter_only_adds() -> None:
    crashing = backoff()
    waits = [crashing.crashed(0.0, ran_for_s=0.1) for _ in range(12)]
    steps = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0, 60.0]
    for wait, step in zip(waits, steps, strict=True):
        assert step <= wait <= step * 1.25
    assert len(set(waits[-5:])) == 5, "equal steps must not give equal waits"


def test_a_stable_run_makes_the_next_restart_immediate_again() -> None:
    crashing = backoff()
    for _ in range(5):
        crashing.crashed(0.0, ran_for_s=59.9)
    assert crashing.crashes == 5
    assert crashing.crashed(1000.0, ran_for_s=60.0) == 1000.0
    assert crashing.crashes == 1
    assert crashing.crashed(1000.0, ran_for_s=1.0) >= 1001.0


def test_it_never_gives_up() -> None:
    crashing = backoff()
    for _ in range(5000):
        wait = crashing.crashed(0.0, ran_for_s=0.0)
    assert 60.0 <= wait <= 75.0


def test_not_before_says_only_what_still_has_to_be_waited_for() -> None:
    crashing = backoff()
    assert crashing.not_before(0.0) is None
    crashing.crashed(0.0, ran_for_s=0.0)
    due = crashing.crashed(0.0, ran_for_s=0.0)
    assert crashing.not_before(0.5) == due
    assert crashing.not_before(due) is None


def test_after_a_reset_nothing_is_waited_for() -> None:
    crashing = backoff()
    for _ in range(5):
        crashing.crashed(0.0, ran_for_s=0.0)
    crashing.reset()
    assert (crashing.crashes, crashing.not_before(0.0)) == (0, None)
    assert crashing.crashed(1.0, ran_for_s=0.0) == 1.0


def test_new_limits_count_from_the_next_crash() -> None:
    crashing = backoff()
    for _ in range(10):
        crashing.crashed(0.0, ran_for_s=0.0)
    crashing.limits = RestartLimits(restart_backoff=0.5, restart_backoff_max=2.0, restart_reset_after=60.0)
    assert 2.0 <= crashing.crashed(0.0, ran_for_s=0.0) <= 2.5


def test_the_same_seed_gives_the_same_waits() -> None:
    one, other = backoff(7), backoff(7)
    waits = [[crashing.crashed(0.0, 0.0) for _ in range(6)] for crashing in (one, other)]
    assert waits[0] == pytest.approx(waits[1], abs=0)
