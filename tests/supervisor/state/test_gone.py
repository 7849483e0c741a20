"""What is kept of keys that left the pool: for long, and not for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.keypools import make_key, make_pool, on_host

from traptor.common.errors import TraptorError
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.state.gone import forget_gone_keys
from traptor.supervisor.state.store import StateStore

A, B = make_key("a"), make_key("b")
LIMITS = PoolLimits()
DAY_S = 86_400.0
KEEP_S = 90 * DAY_S
BEGAN = 1_790_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore(tmp_path / "state.db") as made:
        yield made


@pytest.fixture
def pool() -> KeyPool:
    """Its keys have a record each, of a connect that failed and was not forgiven since."""
    made = make_pool(A, B)
    for key in (A, B):
        made.records.spend(key.key_id, 0.0)
        made.records.failed(key.key_id, 0.0, Failure(FailureKind.NETWORK))
    return made


def look(store: StateStore, pool: KeyPool, at_s: float, keep_s: float = KEEP_S) -> None:
    """What a reload does, so many seconds after the begin."""
    forget_gone_keys(store, pool.records, pool.ring.known(), keep_s, Instant(BEGAN + at_s, at_s))


def kept(store: StateStore, pool: KeyPool) -> set[str]:
    """The keys of which something is kept."""
    tables = ("apps", "app_pieces", "gone_keys")
    rows = [row for table in tables for row in store._file.rows(f"SELECT key_id FROM {table}")]
    return {key_id for (key_id,) in rows} | pool.records.dump(0.0, BEGAN)["keys"].keys()


def fill(store: StateStore) -> None:
    for key in (A, B):
        store.save_app(key.key_id, "account", {"posts": 7})
        store.save_pieces(key.key_id, "standing", {"a": 1, "b": 2})


def test_a_key_is_forgotten_when_it_was_gone_for_long_and_no_other_is(
    store: StateStore, pool: KeyPool
) -> None:
    fill(store)
    look(store, pool, 1000 * DAY_S)
    assert kept(store, pool) == {A.key_id, B.key_id}, "a key of the pool is never forgotten"
    pool.replace([A], 1000 * DAY_S, on_host)
    look(store, pool, 1000 * DAY_S)
    look(store, pool, 1000 * DAY_S + KEEP_S - 1)
    assert kept(store, pool) == {A.key_id, B.key_id}
    assert store.load_app(B.key_id, "account") == {"posts": 7}
    look(store, pool, 1000 * DAY_S + KEEP_S)
    assert kept(store, pool) == {A.key_id}
    assert store.load_app(A.key_id, "account") == {"posts": 7}
    assert store.load_pieces(B.key_id, "standing") == {}


def test_a_key_that_was_back_meanwhile_is_gone_anew(store: StateStore, pool: KeyPool) -> None:
    fill(store)
    for at_s, keys in ((0.0, [A]), (KEEP_S - 1, [A, B]), (KEEP_S, [A])):
        pool.replace(keys, at_s, on_host)
        look(store, pool, at_s)
    look(store, pool, 2 * KEEP_S - 1)
    assert kept(store, pool) == {A.key_id, B.key_id}
    look(store, pool, 2 * KEEP_S)
    assert kept(store, pool) == {A.key_id}


def test_the_time_is_kept_over_restarts(tmp_path: Path, pool: KeyPool) -> None:
    pool.replace([A], 0.0, on_host)
    with StateStore(tmp_path / "state.db") as store:
        fill(store)
        look(store, pool, 0.0)
    with StateStore(tmp_path / "state.db") as store:
        look(store, pool, KEEP_S)
        assert kept(store, pool) == {A.key_id}


def test_what_was_spent_is_kept_for_a_month_at_least(store: StateStore, pool: KeyPool) -> None:
    fill(store)
    pool.replace([A], 0.0, on_host)
    look(store, pool, 0.0, 60.0)
    look(store, pool, 31 * DAY_S, 60.0)
    assert store.load_app(B.key_id, "account") == {"posts": 7}
    look(store, pool, 32 * DAY_S, 60.0)
    assert store.load_app(B.key_id, "account") is None


def _quarantine(pool: KeyPool, now: float) -> None:
    pool.records.failed(B.key_id, now, Failure(FailureKind.UNAUTHORIZED))


def _rest(pool: KeyPool, now: float) -> None:
    pool.records.failed(B.key_id, now, Failure(FailureKind.RATE_LIMITED, asked_s=LIMITS.quarantine))


def _spend(pool: KeyPool, now: float) -> None:
    pool.records.spend(B.key_id, now)


def _close(pool: KeyPool, now: float) -> None:
    pool.records.told(B.key_id, 50, 0, now + 60.0, now)


@pytest.mark.parametrize("hinder", [_quarantine, _rest, _spend, _close])
def test_a_key_that_may_not_connect_even_now_is_remembered(
    store: StateStore, pool: KeyPool, hinder: Callable[[KeyPool, float], None]
) -> None:
    fill(store)
    pool.replace([A], 0.0, on_host)
    look(store, pool, 0.0)
    hinder(pool, KEEP_S)
    look(store, pool, KEEP_S + 1)
    assert kept(store, pool) == {A.key_id, B.key_id}
    look(store, pool, KEEP_S + LIMITS.quarantine_max + LIMITS.connects_window + 3600.0)
    assert kept(store, pool) == {A.key_id}


def test_a_file_that_cannot_be_used_is_said_and_nothing_is_forgotten(
    store: StateStore, pool: KeyPool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise TraptorError("no room")

    pool.replace([A], 0.0, on_host)
    look(store, pool, 0.0)
    monkeypatch.setattr(store, "forget_keys", refuse)
    look(store, pool, KEEP_S)
    assert kept(store, pool) == {A.key_id, B.key_id}
    assert [record.message for record in caplog.records] == ["keys that are gone are not forgotten"]
