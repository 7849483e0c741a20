"""The key pool: who holds which key, over reloads too."""

import random
from dataclasses import replace

import pytest
from support.keypools import make_key, make_pool, on_host

from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.pool import KeyPool

NETWORK = Failure(FailureKind.NETWORK)
LIMITED = Failure(FailureKind.RATE_LIMITED)
REFUSED = Failure(FailureKind.UNAUTHORIZED)


A, B, C = make_key("a"), make_key("b"), make_key("c")


class TestLending:
    def test_keys_are_lent_by_name_when_nothing_else_tells_them_apart(self) -> None:
        pool = make_pool(C, B, A)
        lent = [pool.lend(f"track:{n}", 0.0) for n in range(4)]
        assert [lease and lease.key_id for lease in lent] == [A.key_id, B.key_id, C.key_id, None]

    def test_a_key_is_not_lent_beyond_its_max_connections(self) -> None:
        pool = make_pool(make_key("a", max_connections=2))
        first, second = pool.lend("track:0", 0.0), pool.lend("track:1", 0.0)
        assert first is not None
        assert second is not None
        assert pool.lend("track:2", 0.0) is None
        assert pool.leases_of(A.key_id) == (first, second)
        pool.give_back(first, 1.0)
        assert pool.lend("track:2", 1.0) is not None

    def test_fewest_lent_comes_before_the_most_budget_and_that_before_the_name(self) -> None:
        pool = make_pool(*(replace(key, max_connections=2) for key in (A, B, C)))
        pool.records.spend(B.key_id, 0.0)
        order = [pool.lend(str(n), 1.0) for n in range(4)]
        assert [lease and lease.key_id for lease in order] == [A.key_id, C.key_id, B.key_id, A.key_id]

    def test_a_cooling_key_is_lent_only_when_nothing_better_is_free(self) -> None:
        pool = make_pool(A, B)
        pool.records.failed(A.key_id, 0.0, LIMITED)
        assert pool.state(A.key_id, 1.0) is KeyState.COOLING
        first, second = pool.lend("track:0", 1.0), pool.lend("track:1", 1.0)
        assert first is not None
        assert second is not None
        assert (first.key_id, second.key_id) == (B.key_id, A.key_id)

    def test_of_two_cooling_keys_the_one_that_is_ready_sooner_is_lent(self) -> None:
        pool = make_pool(A, B)
        pool.records.failed(A.key_id, 0.0, LIMITED)
        pool.records.failed(B.key_id, 0.0, NETWORK)
        lease = pool.lend("track:0", 0.0)
        assert lease is not None
        assert lease.key_id == B.key_id

    def test_a_key_without_budget_comes_after_one_that_may_connect(self) -> None:
        pool = make_pool(A, B)
        for _ in range(5):
            pool.records.spend(A.key_id, 0.0)
        lease = pool.lend("track:0", 1.0)
        assert lease is not None
        assert lease.key_id == B.key_id

    def test_avoided_keys_are_not_lent(self) -> None:
        assert make_pool(A).lend("track:0", 0.0, avoid=frozenset({A.key_id})) is None

    def test_another_slot_of_the_same_key_is_lent_while_there_is_one(self) -> None:
        pool = make_pool(make_key("a", max_connections=2))
        first = pool.lend("track:0", 0.0)
        slot = pool.lend_slot(A.key_id, "track:0", 1.0)
        assert first is not None
        assert slot is not None
        assert slot.serial > first.serial
        assert pool.lend_slot(A.key_id, "track:0", 1.0) is None
        assert pool.lend_slot("00000000", "track:0", 1.0) is None

    def test_a_spare_is_another_key_that_may_connect_for_a_refresh_now(self) -> None:
        pool = make_pool(A, B)
        pool.lend("track:0", 0.0)
        for at in (0.0, 1.0, 2.0):
            pool.records.spend(B.key_id, at)
        assert pool.lend_spare("track:0", A.key_id, Purpose.REFRESH, 3.0) is None, (
            "its last two are for recovery"
        )
        spare = pool.lend_spare("track:0", A.key_id, Purpose.REFRESH, 300.0)
        assert spare is not None
        assert spare.key_id == B.key_id

    def test_a_key_is_no_spare_for_itself(self) -> None:
        pool = make_pool(make_key("a", max_connections=2))
        assert pool.lend_spare("track:0", A.key_id, Purpose.REFRESH, 0.0) is None

    def test_giving_back_twice_does_no_harm(self) -> None:
        pool = make_pool(A)
        lease = pool.lend("track:0", 0.0)
        assert lease is not None
        pool.give_back(lease, 1.0)
        again = pool.lend("track:1", 1.0)
        pool.give_back(lease, 2.0)
        assert again is not None
        assert pool.leases_of(A.key_id) == (again,)
        assert not pool.still_good(lease, 2.0)


class TestReload:
    def test_a_key_whose_address_is_not_on_this_host_is_unusable_until_it_is(self) -> None:
        far = replace(A, source_address="192.0.2.1")
        pool = KeyPool(PoolLimits(), random.Random(0))
        assert pool.replace([far], 0.0, lambda _address: False).unusable == ("a",)
        assert pool.state(A.key_id, 0.0) is KeyState.UNUSABLE
        assert pool.lend("track:0", 0.0) is None
        assert not pool.may_connect(A.key_id, Purpose.FRESH, 0.0).allowed
        pool.replace([far], 1.0, on_host)
        assert pool.lend("track:0", 1.0) is not None

    def test_leases_survive_a_reload(self) -> None:
        pool = make_pool(A, B)
        lease = pool.lend("track:0", 0.0)
        pool.replace([replace(A, consumer_secret="other"), B], 1.0, on_host)
        assert lease is not None
        assert pool.leases_of(A.key_id) == (lease,)
        assert pool.still_good(lease, 1.0)

    def test_a_removed_key_is_gone_but_known_until_its_leases_are_back(self) -> None:
        pool = make_pool(A, B)
        lease = pool.lend("track:0", 0.0)
        assert lease is not None
        pool.replace([B], 1.0, on_host)
        assert not pool.still_good(lease, 1.0)
        assert pool.leases_of(A.key_id) == (lease,)
        assert [(status.name, status.state) for status in pool.statuses(1.0)] == [("a", "GONE"), ("b", "OK")]
        assert pool.lend_slot(A.key_id, "track:1", 1.0) is None
        pool.give_back(lease, 2.0)
        assert [status.name for status in pool.statuses(2.0)] == ["b"]

    def test_a_key_that_returns_has_its_leases_budget_and_rest(self) -> None:
        pool = make_pool(A, B)
        lease = pool.lend("track:0", 0.0)
        pool.records.spend(A.key_id, 0.0)
        pool.records.failed(A.key_id, 0.0, LIMITED)
        pool.replace([B], 1.0, on_host)
        pool.replace([A, B], 2.0, on_host)
        status = pool.statuses(2.0)[0]
        assert (status.state, status.budget_left, status.lent) == (KeyState.COOLING, 4, 1)
        assert lease is not None
        assert pool.still_good(lease, 2.0)

    def test_a_smaller_max_connections_moves_the_newest_leases(self) -> None:
        pool = make_pool(make_key("a", max_connections=3))
        leases = [pool.lend(f"track:{n}", 0.0) for n in range(3)]
        pool.replace([A], 1.0, on_host)
        assert [lease and pool.still_good(lease, 1.0) for lease in leases] == [True, False, False]
        assert pool.lend_slot(A.key_id, "track:9", 1.0) is None

    @pytest.mark.parametrize(
        "change",
        [
            {"consumer_secret": "other"},
            {"access_token_secret": "other"},
            {"source_address": "127.0.0.1"},
            {"proxy": "http://192.0.2.9:8080"},
        ],
    )
    def test_a_changed_key_leaves_quarantine(self, change: dict[str, object]) -> None:
        pool = make_pool(A)
        pool.records.failed(A.key_id, 0.0, REFUSED)
        assert pool.state(A.key_id, 1.0) is KeyState.QUARANTINED
        pool.replace([A], 1.0, on_host)
        assert pool.state(A.key_id, 1.0) is KeyState.QUARANTINED, "an unchanged key stays"
        pool.replace([replace(A, **change)], 2.0, on_host)
        assert pool.state(A.key_id, 2.0) is KeyState.OK

    def test_a_new_secret_does_not_forgive_a_rate_limit_or_the_budget(self) -> None:
        pool = make_pool(A)
        pool.records.spend(A.key_id, 0.0)
        pool.records.failed(A.key_id, 0.0, LIMITED)
        pool.replace([replace(A, consumer_secret="other")], 1.0, on_host)
        status = pool.statuses(1.0)[0]
        assert (status.state, status.budget_left) == (KeyState.COOLING, 4)


class TestTimer:
    def test_nothing_changes_by_itself_in_an_idle_pool(self) -> None:
        assert make_pool(A, B).next_change(0.0) is None

    def test_the_earliest_timed_change_is_found(self) -> None:
        pool = make_pool(A, B, C)
        pool.records.failed(A.key_id, 0.0, REFUSED)
        assert pool.next_change(0.0) == 900.0
        for at in (10.0, 11.0, 12.0):
            pool.records.spend(B.key_id, at)
        assert pool.next_change(13.0) == 310.0, "then a refresh fits again"
        pool.records.failed(C.key_id, 13.0, NETWORK)
        assert 13.25 <= (pool.next_change(13.0) or 0) <= 13.3125

    def test_the_end_of_a_rest_is_found_though_the_budget_keeps_the_key_back_for_longer(self) -> None:
        pool = make_pool(A)
        for _ in range(5):
            pool.records.spend(A.key_id, 0.0)
        pool.records.failed(A.key_id, 0.0, NETWORK)
        due = pool.next_change(0.0)
        assert due is not None
        assert 0.25 <= due <= 0.3125
        assert pool.state(A.key_id, due) is KeyState.OK
        assert pool.next_change(due) == 300.0

    def test_new_limits_count_at_once_for_budgets(self) -> None:
        pool = make_pool(A)
        for _ in range(5):
            pool.records.spend(A.key_id, 0.0)
        pool.set_limits(PoolLimits(connects=50, connects_window=900.0))
        assert pool.may_connect(A.key_id, Purpose.REFRESH, 1.0).allowed
