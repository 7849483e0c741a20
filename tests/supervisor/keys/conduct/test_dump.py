"""What is remembered of keys over a restart of the master."""

import json
import random
from dataclasses import replace

import pytest
from support.keypools import make_key, make_pool, on_host

from traptor.common.errors import TraptorError
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.pool import KeyPool

WALL = 1_790_000_000.0
LIMITED = Failure(FailureKind.RATE_LIMITED)
REFUSED = Failure(FailureKind.UNAUTHORIZED)


def connect(pool: KeyPool, key_id: str, now: float) -> None:
    pool.records.spend(key_id, now)
    pool.records.connected(key_id, now)


A, B, C = make_key("a"), make_key("b"), make_key("c")


class TestKeeping:
    @pytest.mark.parametrize("load_first", [True, False])
    def test_budget_rest_quarantine_and_overlap_survive_a_new_master(self, load_first: bool) -> None:
        old = make_pool(A, B, C)
        old.records.spend(A.key_id, 900.0)
        old.records.failed(A.key_id, 900.0, LIMITED)
        old.records.failed(B.key_id, 900.0, REFUSED)
        old.records.overlap_refused(C.key_id)
        old.records.overlap_refused(C.key_id)
        dump = json.loads(json.dumps(old.dump(1000.0, WALL)))
        new = KeyPool(PoolLimits(), random.Random(5))
        if load_first:
            new.load(dump, 20.0, WALL + 10.0)
            new.replace([A, B, C], 20.0, on_host)
        else:
            new.replace([A, B, C], 20.0, on_host)
            new.load(dump, 20.0, WALL + 10.0)
        for before, after in zip(old.statuses(1010.0), new.statuses(20.0), strict=True):
            assert (after.state, after.budget_left) == (before.state, before.budget_left)
            expected = None if before.not_before is None else before.not_before - 990.0
            assert after.not_before == pytest.approx(expected, abs=1e-3)
        assert not new.records.of(C.key_id).may_overlap()

    def test_a_clock_set_back_does_not_shorten_or_stretch_anything(self) -> None:
        old = make_pool(A)
        old.records.failed(A.key_id, 1000.0, Failure(FailureKind.RATE_LIMITED, asked_s=500.0))
        before = old.may_connect(A.key_id, Purpose.FRESH, 1000.0).not_before
        new = make_pool(A)
        new.load(old.dump(1000.0, WALL), 0.0, WALL - 1e6)
        after = new.may_connect(A.key_id, Purpose.FRESH, 0.0).not_before
        assert before is not None
        assert after == pytest.approx(before - 1000.0, abs=1e-3)

    def test_a_suspect_comes_back_quarantined_for_its_stream_is_over(self) -> None:
        old = make_pool(A)
        connect(old, A.key_id, 0.0)
        old.records.failed(A.key_id, 50.0, REFUSED)
        new = make_pool(A)
        new.load(old.dump(60.0, WALL), 0.0, WALL)
        assert new.state(A.key_id, 0.0) is KeyState.QUARANTINED

    def test_a_key_that_failed_once_and_streamed_since_is_not_made_anew_for_each_dump(self) -> None:
        pool = make_pool(A)
        pool.records.failed(A.key_id, 0.0, REFUSED)
        connect(pool, A.key_id, 1000.0)
        before, first, second = (pool.dump(now, WALL + now)["keys"] for now in (1001.0, 2000.0, 2001.0))
        assert first[A.key_id]["quarantine_level"] == 0, "the stream has lasted"
        assert before[A.key_id]["quarantine_level"] == 1
        assert second[A.key_id] is first[A.key_id]

    @pytest.mark.parametrize("load_first", [True, False])
    def test_a_key_changed_while_the_master_was_down_leaves_quarantine(self, load_first: bool) -> None:
        old = make_pool(A)
        old.records.failed(A.key_id, 0.0, REFUSED)
        dump = old.dump(1.0, WALL)
        fixed = replace(A, consumer_secret="other")
        new = KeyPool(PoolLimits(), random.Random(0))
        steps = [lambda: new.load(dump, 0.0, WALL), lambda: new.replace([fixed], 0.0, on_host)]
        for step in steps if load_first else reversed(steps):
            step()
        assert new.state(A.key_id, 0.0) is KeyState.OK

    def test_a_stream_that_lasted_counts_although_the_master_ended_before_it(self) -> None:
        old = make_pool(A)
        old.records.failed(A.key_id, 0.0, REFUSED)
        connect(old, A.key_id, 1000.0)
        new = make_pool(A)
        new.load(old.dump(2000.0, WALL), 0.0, WALL)
        new.records.failed(A.key_id, 1.0, REFUSED)
        assert new.may_connect(A.key_id, Purpose.FRESH, 1.0).not_before == 901.0

    def test_keys_without_a_story_are_not_kept(self) -> None:
        pool = make_pool(A, B)
        pool.records.spend(A.key_id, 0.0)
        pool.records.spend(B.key_id, 0.0)
        pool.replace([A], 1.0, on_host)
        assert set(pool.dump(299.0, WALL)["keys"]) == {A.key_id, B.key_id}
        assert set(pool.dump(300.0, WALL)["keys"]) == {A.key_id}

    @pytest.mark.parametrize(
        "dump",
        [{}, {"saved_at": "x", "keys": {}}, {"saved_at": 1.0, "keys": {"k": {"budget": 3}}}, {"keys": []}],
    )
    def test_a_broken_dump_is_an_error_that_names_the_remedy_and_changes_nothing(
        self, dump: dict[str, object]
    ) -> None:
        pool = make_pool(A)
        pool.records.spend(A.key_id, 0.0)
        with pytest.raises(TraptorError, match=r"move state\.db away"):
            pool.load(dump, 0.0, WALL)
        assert pool.statuses(0.0)[0].budget_left == 4

    def test_no_secret_is_kept_or_shown(self) -> None:
        key = replace(A, proxy="http://user:s3cret-proxy@192.0.2.9:8080", bearer_token="s3cret-bearer")
        pool = make_pool(key, make_key("b"))
        pool.lend("track:0", 0.0)
        connect(pool, A.key_id, 0.0)
        pool.records.failed(A.key_id, 1.0, REFUSED)
        shown = [
            repr(pool.statuses(2.0)),
            json.dumps(pool.dump(2.0, WALL)),
            repr(pool.replace([make_key("b")], 3.0, on_host)),
            repr([pool.may_connect(A.key_id, purpose, 3.0) for purpose in Purpose]),
            repr(pool.leases_of(A.key_id)),
            repr(pool),
        ]
        assert not [text for text in shown if "s3cret" in text]
