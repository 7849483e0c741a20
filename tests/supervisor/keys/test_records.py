"""The records of keys: what each key may do after what happened to it."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.keypools import make_key, make_pool, on_host

from traptor.common.messages import DisconnectKind
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.failures import LASTING_S, Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.pool import KeyPool

NETWORK = Failure(FailureKind.NETWORK)
LIMITED = Failure(FailureKind.RATE_LIMITED)
REFUSED = Failure(FailureKind.UNAUTHORIZED)


def connect(pool: KeyPool, key_id: str, now: float) -> None:
    pool.records.spend(key_id, now)
    pool.records.connected(key_id, now)


A, B = make_key("a"), make_key("b")


class TestConnects:
    def test_an_unused_key_may_connect_for_everything(self) -> None:
        pool = make_pool(A)
        assert all(pool.may_connect(A.key_id, purpose, 0.0).allowed for purpose in Purpose)

    def test_a_refresh_waits_visibly_while_a_recovery_may_still_connect(self) -> None:
        pool = make_pool(A)
        for at in (0.0, 1.0, 2.0):
            pool.records.spend(A.key_id, at)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 3.0).allowed
        verdict = pool.may_connect(A.key_id, Purpose.REFRESH, 3.0)
        assert (verdict.allowed, verdict.not_before) == (False, 300.0)
        assert verdict.reason == "3 of 5 connects in 300 s are used, and 2 are kept for recovery"

    def test_the_later_of_rest_and_budget_counts(self) -> None:
        pool = make_pool(A)
        for _ in range(5):
            pool.records.spend(A.key_id, 0.0)
        pool.records.failed(A.key_id, 0.0, NETWORK)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 1.0).not_before == 300.0
        pool.records.failed(A.key_id, 1.0, Failure(FailureKind.RATE_LIMITED, asked_s=900.0))
        assert (pool.may_connect(A.key_id, Purpose.FRESH, 2.0).not_before or 0) >= 901.0

    def test_a_key_may_connect_right_when_its_rest_is_over(self) -> None:
        pool = make_pool(A)
        pool.records.failed(A.key_id, 0.0, LIMITED)
        not_before = pool.may_connect(A.key_id, Purpose.FRESH, 0.0).not_before
        assert not_before is not None
        assert not pool.may_connect(A.key_id, Purpose.FRESH, not_before - 0.001).allowed
        assert pool.may_connect(A.key_id, Purpose.FRESH, not_before).allowed

    def test_a_stream_that_lasted_is_reconnected_at_once(self) -> None:
        pool = make_pool(A)
        connect(pool, A.key_id, 0.0)
        pool.records.stream_ended(A.key_id, 100.0, 100.0, DisconnectKind.NETWORK)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 100.0).allowed
        pool.records.spend(A.key_id, 100.0)
        pool.records.failed(A.key_id, 100.0, NETWORK)
        assert not pool.may_connect(A.key_id, Purpose.FRESH, 100.0).allowed, "at once, but once only"

    @pytest.mark.parametrize("kind", [DisconnectKind.SERVER_CLOSE, DisconnectKind.NETWORK])
    def test_a_close_right_after_a_200_is_a_failure(self, kind: DisconnectKind) -> None:
        pool = make_pool(A)
        waits = []
        for n in range(3):
            now = n * 1000.0
            connect(pool, A.key_id, now)
            pool.records.stream_ended(A.key_id, now + 1, LASTING_S - 0.1, kind)
            waits.append((pool.may_connect(A.key_id, Purpose.FRESH, now + 1).not_before or now) - now - 1)
        assert waits[0] > 0
        assert waits == sorted(waits)
        assert waits[2] > 1.5 * waits[0], "a 200 alone does not reset the steps"

    @pytest.mark.parametrize("closes_at_once", [0, 1])
    @given(
        kinds=st.lists(
            st.sampled_from([DisconnectKind.SERVER_CLOSE, DisconnectKind.NETWORK, DisconnectKind.HTTP])
        )
    )
    def test_streams_that_end_right_after_their_200_are_no_more_than_twelve_in_a_minute(
        self, kinds: list[DisconnectKind], closes_at_once: int
    ) -> None:
        """However they end: cleanly, by a reset, or in turns."""
        pool = make_pool(
            A, limits=PoolLimits(connects=50, connects_window=900.0, closes_at_once=closes_at_once)
        )
        now, opened = 0.0, []
        for kind in itertools.cycle(kinds or [DisconnectKind.NETWORK]):
            connect(pool, A.key_id, now)
            opened.append(now)
            pool.records.stream_ended(A.key_id, now, 0.0, kind)
            now = pool.may_connect(A.key_id, Purpose.FRESH, now).not_before or now
            if now > 60.0:
                break
        assert len(opened) <= 12

    def test_our_own_close_blames_nobody(self) -> None:
        pool = make_pool(A)
        connect(pool, A.key_id, 0.0)
        pool.records.stream_ended(A.key_id, 1.0, 1.0, DisconnectKind.OWN_CLOSE)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 1.0).allowed

    def test_a_stream_that_lasts_resets_the_steps_while_it_is_open(self) -> None:
        pool = make_pool(make_key("a", max_connections=2))
        for n in range(4):
            pool.records.failed(A.key_id, n * 1000.0, LIMITED)
        connect(pool, A.key_id, 5000.0)
        pool.records.failed(A.key_id, 5000.0 + LASTING_S, LIMITED)
        assert (pool.may_connect(A.key_id, Purpose.FRESH, 5011.0).not_before or 0) <= 5010.0 + 75.0

    def test_a_stream_that_we_lost_by_a_crash_was_a_success_by_its_age(self) -> None:
        pool = make_pool(A)
        pool.records.failed(A.key_id, 0.0, LIMITED)
        connect(pool, A.key_id, 1000.0)
        pool.records.stream_ended(A.key_id, 5000.0, 0.0, DisconnectKind.OWN_CLOSE)
        pool.records.failed(A.key_id, 5000.0, LIMITED)
        assert (pool.may_connect(A.key_id, Purpose.FRESH, 5000.0).not_before or 0) <= 5075.0

    def test_a_stream_older_than_the_failure_forgives_nothing(self) -> None:
        pool = make_pool(make_key("a", max_connections=2))
        connect(pool, A.key_id, 0.0)
        pool.records.failed(A.key_id, 100.0, LIMITED)
        pool.records.failed(A.key_id, 1000.0, LIMITED)
        assert (pool.may_connect(A.key_id, Purpose.FRESH, 1000.0).not_before or 0) >= 1120.0

    def test_a_stream_without_a_byte_is_no_success_however_late_the_stall_is_found(self) -> None:
        pool = make_pool(A)
        for n in range(1, 4):
            connect(pool, A.key_id, n * 1000.0)
            pool.records.stream_ended(A.key_id, n * 1000.0 + 90, 0.0, DisconnectKind.STALL)
        assert (pool.may_connect(A.key_id, Purpose.FRESH, 3090.0).not_before or 0) >= 3090.75

    def test_outcomes_of_a_key_that_nobody_knows_do_no_harm(self) -> None:
        pool = make_pool()
        pool.records.failed("00000000", 0.0, NETWORK)
        pool.records.stream_ended("00000000", 0.0, 1.0, DisconnectKind.NETWORK)
        pool.records.connected("00000000", 0.0)
        assert pool.statuses(0.0) == ()
        assert pool.next_change(0.0) is None


class TestRefusedKeys:
    def test_a_refused_fresh_connect_quarantines_the_key(self) -> None:
        pool = make_pool(A, B)
        lease = pool.lend("track:0", 0.0)
        assert lease is not None
        pool.records.failed(A.key_id, 0.0, REFUSED)
        assert pool.state(A.key_id, 0.0) is KeyState.QUARANTINED
        assert not pool.still_good(lease, 0.0)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 0.0).not_before == 900.0

    def test_quarantine_ends_after_its_time_and_doubles_at_each_repeat(self) -> None:
        pool, now, lasted = make_pool(A), 0.0, []
        for _ in range(9):
            pool.records.failed(A.key_id, now, REFUSED)
            until = pool.may_connect(A.key_id, Purpose.FRESH, now).not_before
            assert until is not None
            lasted.append(until - now)
            now = until
            assert pool.state(A.key_id, now) is KeyState.OK
        minutes = [15, 30, 60, 120, 240, 480, 960, 1440, 1440]
        assert lasted == [60.0 * each for each in minutes]

    def test_a_second_refusal_of_the_same_moment_does_not_double(self) -> None:
        pool = make_pool(make_key("a", max_connections=2))
        pool.records.failed(A.key_id, 0.0, REFUSED)
        pool.records.failed(A.key_id, 0.5, REFUSED)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 1.0).not_before == 900.0
        pool.records.failed(A.key_id, 900.0, REFUSED)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 900.0).not_before == 900.0 + 1800.0

    def test_a_stream_that_lasted_makes_the_next_quarantine_short_again(self) -> None:
        pool = make_pool(A)
        pool.records.failed(A.key_id, 0.0, REFUSED)
        pool.records.failed(A.key_id, 900.0, REFUSED)
        connect(pool, A.key_id, 10_000.0)
        pool.records.stream_ended(A.key_id, 10_100.0, 100.0, DisconnectKind.SERVER_CLOSE)
        pool.records.failed(A.key_id, 10_100.0, REFUSED)
        assert pool.may_connect(A.key_id, Purpose.FRESH, 10_100.0).not_before == 11_000.0

    def test_a_refused_extra_connect_makes_a_streaming_key_suspect_until_its_stream_ends(self) -> None:
        pool = make_pool(make_key("a", max_connections=2))
        lease = pool.lend("track:0", 0.0)
        connect(pool, A.key_id, 0.0)
        pool.records.failed(A.key_id, 50.0, REFUSED)
        assert lease is not None
        assert pool.state(A.key_id, 50.0) is KeyState.SUSPECT
        assert pool.still_good(lease, 50.0), "its stream goes on"
        assert pool.lend_slot(A.key_id, "track:1", 50.0) is None
        verdict = pool.may_connect(A.key_id, Purpose.FRESH, 50.0)
        assert (verdict.allowed, verdict.not_before) == (False, None)
        pool.records.stream_ended(A.key_id, 60.0, 60.0, DisconnectKind.SERVER_CLOSE)
        assert pool.state(A.key_id, 60.0) is KeyState.QUARANTINED
        assert pool.may_connect(A.key_id, Purpose.FRESH, 60.0).not_before == 960.0

    def test_a_suspect_with_two_streams_stays_until_the_last_one_ends(self) -> None:
        pool = make_pool(make_key("a", max_connections=3))
        connect(pool, A.key_id, 0.0)
        connect(pool, A.key_id, 1.0)
        pool.records.failed(A.key_id, 2.0, REFUSED)
        pool.records.stream_ended(A.key_id, 30.0, 30.0, DisconnectKind.NETWORK)
        assert pool.state(A.key_id, 30.0) is KeyState.SUSPECT
        pool.records.stream_ended(A.key_id, 40.0, 39.0, DisconnectKind.NETWORK)
        assert pool.state(A.key_id, 40.0) is KeyState.QUARANTINED

    def test_a_suspect_whose_last_lease_comes_back_is_quarantined(self) -> None:
        pool = make_pool(A)
        lease = pool.lend("track:0", 0.0)
        connect(pool, A.key_id, 0.0)
        pool.records.failed(A.key_id, 50.0, REFUSED)
        assert lease is not None
        pool.give_back(lease, 60.0)
        assert pool.state(A.key_id, 60.0) is KeyState.QUARANTINED

    def test_a_changed_key_is_no_longer_suspect(self) -> None:
        pool = make_pool(A)
        connect(pool, A.key_id, 0.0)
        pool.records.failed(A.key_id, 50.0, REFUSED)
        pool.replace([replace(A, access_token_secret="other")], 60.0, on_host)
        assert pool.state(A.key_id, 60.0) is KeyState.OK


class TestOverlap:
    def test_overlap_is_refused_twice_before_it_is_given_up(self) -> None:
        pool = make_pool(A, B)
        assert pool.records.of(A.key_id).may_overlap()
        pool.records.overlap_refused(A.key_id)
        assert pool.records.of(A.key_id).may_overlap()
        pool.records.overlap_refused(A.key_id)
        assert not pool.records.of(A.key_id).may_overlap()
        assert pool.records.of(B.key_id).may_overlap()

    def test_an_overlap_that_worked_clears_the_refusal_before_it(self) -> None:
        pool = make_pool(A)
        pool.records.overlap_refused(A.key_id)
        pool.records.overlap_worked(A.key_id)
        pool.records.overlap_refused(A.key_id)
        assert pool.records.of(A.key_id).may_overlap()

    def test_a_changed_key_may_overlap_again(self) -> None:
        pool = make_pool(A)
        pool.records.overlap_refused(A.key_id)
        pool.records.overlap_refused(A.key_id)
        pool.replace([A], 1.0, on_host)
        assert not pool.records.of(A.key_id).may_overlap()
        pool.replace([replace(A, consumer_secret="other")], 2.0, on_host)
        assert pool.records.of(A.key_id).may_overlap()


def test_a_release_ends_rests_and_quarantine_but_not_the_budget() -> None:
    for kind in (FailureKind.UNAUTHORIZED, FailureKind.RATE_LIMITED):
        pool = make_pool(A)
        pool.records.spend(A.key_id, 0.0)
        pool.records.failed(A.key_id, 1.0, Failure(kind, text="HTTP 4xx"))
        assert pool.state(A.key_id, 2.0) is not KeyState.OK
        pool.take_news(2.0)
        pool.records.release(A.key_id)
        assert pool.state(A.key_id, 2.0) is KeyState.OK
        assert pool.take_news(2.0).is_relief
        [status] = pool.statuses(2.0)
        assert status.budget_left == 4
        assert status.last_used_at == 0.0
        assert (status.failed_at, status.last_error) == (1.0, "HTTP 4xx")


def test_the_budget_alone_says_when_a_connect_is_left() -> None:
    pool = make_pool(A)
    pool.records.failed(A.key_id, 0.0, Failure(FailureKind.UNAUTHORIZED))
    assert pool.records.budget_free_at(A.key_id, Purpose.REFRESH, 1.0) == 1.0
    for at in range(3):
        pool.records.spend(A.key_id, float(at))
    assert pool.records.budget_free_at(A.key_id, Purpose.REFRESH, 3.0) == 300.0
