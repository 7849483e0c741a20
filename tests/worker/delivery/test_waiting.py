"""Batches that wait for their turn, and about since when the next one does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from traptor.worker.delivery.waiting import WaitingBatches
from traptor.worker.outbox.outbox import Batch


def outbox(last: int) -> Any:
    return cast(Any, SimpleNamespace(last=last, after=lambda number: Batch(number + 1, 1, 1)))


def test_the_age_of_what_waits_falls_as_it_goes_out() -> None:
    waiting = WaitingBatches(outbox(0), is_adopted=False)
    assert waiting.since is None
    for number in range(1, 101):
        waiting.add(Batch(number, 1, 1), now=100.0 + number)
    ages = []
    for number in range(1, 101):
        ages.append(waiting.since)
        assert waiting.next() == Batch(number, 1, 1)
        since = ages[-1]
        assert since is not None
        assert 0 <= 100.0 + number - since <= 10.0
    assert ages == sorted(ages)
    assert waiting.since is None


def test_what_was_found_waits_since_it_was_found() -> None:
    waiting = WaitingBatches(outbox(3), is_adopted=True, now=50.0)
    assert waiting.since == 50.0
    assert WaitingBatches(outbox(0), is_adopted=True, now=50.0).since is None


def test_a_pause_begins_anew() -> None:
    waiting = WaitingBatches(outbox(0), is_adopted=False)
    waiting.add(Batch(1, 1, 1), now=1.0)
    waiting.next()
    waiting.add(Batch(2, 1, 1), now=5.0)
    assert waiting.since == 5.0
