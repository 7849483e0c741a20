"""Connects keep to the smaller of our limit and the server's, whatever it announces."""

from __future__ import annotations

import random

import pytest
from support.keypools import make_key, on_host

from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.pool import KeyPool

KEY = make_key("a")
NOW = 1_000.0


def pool_with(connects: int) -> KeyPool:
    pool = KeyPool(PoolLimits(connects=3, connects_window=900.0), random.Random(0))
    pool.replace([KEY], NOW, on_host)
    for _ in range(connects):
        pool.records.spend(KEY.key_id, NOW)
    return pool


def free_at(pool: KeyPool, now: float = NOW) -> float | None:
    verdict = pool.may_connect(KEY.key_id, Purpose.FRESH, now)
    return None if verdict.allowed else verdict.not_before


@pytest.mark.parametrize(
    ("connects", "told", "not_before"),
    [
        (1, (None, None, None), None),
        (1, (1, 0, NOW - 5.0), NOW + 900.0),
        (1, (40_000, 39_999, NOW + 60.0), None),
        (3, (40_000, 39_999, NOW + 60.0), NOW + 900.0),
        (1, (50, 0, NOW + 10_800.0), NOW + 10_800.0),
        (1, (50, 0, NOW - 5.0), None),
        (1, (50, 0, None), None),
        (1, (50, 0, NOW + 1e9), NOW + 86_400.0),
        (1, (0, 0, None), NOW + 900.0),
    ],
    ids=[
        "nothing said",
        "limit 1",
        "limit 40,000",
        "limit 40,000, ours spent",
        "reset in 3 h",
        "reset in the past",
        "no reset",
        "reset in 30 years",
        "limit 0",
    ],
)
def test_the_smaller_limit_counts(
    connects: int, told: tuple[int | None, int | None, float | None], not_before: float | None
) -> None:
    pool = pool_with(connects)
    pool.records.told(KEY.key_id, *told, NOW)
    assert free_at(pool) == not_before


def test_the_next_announcement_replaces_the_last_and_a_restart_keeps_it() -> None:
    pool = pool_with(1)
    pool.records.told(KEY.key_id, 50, 0, NOW + 500.0, NOW)
    again = KeyPool(PoolLimits(connects=3, connects_window=900.0), random.Random(0))
    again.load(pool.dump(NOW, 5_000.0), NOW + 10.0, 5_010.0)
    again.replace([KEY], NOW + 10.0, on_host)
    assert free_at(again, NOW + 10.0) == NOW + 500.0
    pool.records.told(KEY.key_id, 50, 12, NOW + 500.0, NOW)
    assert free_at(pool) is None


@pytest.mark.parametrize(
    ("connects", "reset_at", "reason"),
    [
        (1, NOW + 10_800.0, "the server allows no more connects for now, by its own count"),
        (3, NOW + 10_800.0, "the server allows no more connects for now, by its own count"),
        (3, NOW + 5.0, "3 of 3 connects in 900 s are used"),
    ],
)
def test_the_reason_is_the_one_that_ends_last(connects: int, reset_at: float, reason: str) -> None:
    pool = pool_with(connects)
    pool.records.told(KEY.key_id, 50, 0, reset_at, NOW)
    assert pool.may_connect(KEY.key_id, Purpose.FRESH, NOW).reason == reason
