"""What an operator may do with a key: end its rests, and ask what a reload would change."""

from __future__ import annotations

from dataclasses import replace

from support.keypools import make_key, make_pool, on_host

from traptor.supervisor.keys.budget import Purpose
from traptor.supervisor.keys.failures import Failure, FailureKind
from traptor.supervisor.keys.states import KeyState

A = make_key("a")


def test_a_release_ends_rests_and_quarantine_but_not_the_budget() -> None:
    for kind in (FailureKind.UNAUTHORIZED, FailureKind.RATE_LIMITED):
        pool = make_pool(A)
        pool.spend(A.key_id, 0.0)
        pool.failed(A.key_id, 1.0, Failure(kind, text="HTTP 4xx"))
        assert pool.state(A.key_id, 2.0) is not KeyState.OK
        pool.take_news(2.0)
        pool.release(A.key_id)
        assert pool.state(A.key_id, 2.0) is KeyState.OK
        assert pool.take_news(2.0).is_relief
        [status] = pool.statuses(2.0)
        assert status.budget_left == 4
        assert status.last_used_at == 0.0
        assert (status.failed_at, status.last_error) == (1.0, "HTTP 4xx")


def test_what_a_replacement_would_change_is_told_and_nothing_is_changed() -> None:
    b, c = make_key("b"), make_key("c")
    pool = make_pool(A, b)
    change = pool.difference([replace(A, source_address="192.0.2.1"), c], on_host)
    assert (change.added, change.removed, change.changed) == (("c",), ("b",), ("a",))
    assert [status.name for status in pool.statuses(0.0)] == ["a", "b"]
    assert pool.named("b") == b
    assert pool.named("c") is None


def test_the_budget_alone_says_when_a_connect_is_left() -> None:
    pool = make_pool(A)
    pool.failed(A.key_id, 0.0, Failure(FailureKind.UNAUTHORIZED))
    assert pool.budget_free_at(A.key_id, Purpose.REFRESH, 1.0) == 1.0
    for at in range(3):
        pool.spend(A.key_id, float(at))
    assert pool.budget_free_at(A.key_id, Purpose.REFRESH, 3.0) == 300.0
