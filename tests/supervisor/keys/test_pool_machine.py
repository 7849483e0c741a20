"""The key pool under random operations: what must hold whatever happens."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from traptor.common.config.keys.key import ApiKey
from traptor.common.messages import DisconnectKind
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.keys.pool import KeyPool

LIMITS = PoolLimits(connects=4, connects_window=100.0)
FAR = "192.0.2.1"
ALL_KEYS = [
    ApiKey(
        name=name,
        consumer_key=f"consumer-{name}",
        consumer_secret="one",
        access_token=f"token-{name}",
        access_token_secret="two",
        bearer_token=None,
        source_address=address,
        proxy=None,
        max_connections=slots,
    )
    for name, address, slots in (("a", None, 1), ("b", None, 2), ("c", FAR, 1), ("d", None, 3))
]
KEY_IDS = [key.key_id for key in ALL_KEYS]
key_ids = st.sampled_from(KEY_IDS)
holders = st.sampled_from(["track:0", "follow:0", "follow:0.2"])
failures = st.builds(
    Failure, kind=st.sampled_from(FailureKind), asked_s=st.none() | st.sampled_from([5.0, 250.0])
)


class PoolMachine(RuleBasedStateMachine):
    """Drives two pools alike, and remembers in the plainest way what they must agree with."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.far_is_here = False
        self.configured: dict[str, ApiKey] = {}
        self.out: list[Lease] = []
        self.connects: dict[str, list[float]] = {key_id: [] for key_id in KEY_IDS}
        self.open: list[tuple[str, float]] = []  # streams: key_id, since
        self.pools = [KeyPool(LIMITS, random.Random(1)) for _ in range(2)]

    def both(self, call: Callable[[KeyPool], Any]) -> Any:
        """The same call on both pools gives the same: the pool is deterministic."""
        one, other = (call(pool) for pool in self.pools)
        assert one == other
        return one

    @property
    def pool(self) -> KeyPool:
        return self.pools[0]

    @initialize()
    def configure(self) -> None:
        self.reload(set(KEY_IDS), "one", 0, far_is_here=False)

    @rule(wait=st.sampled_from([0.25, 1.0, 9.75, 10.0, 33.0, 100.0, 950.0]))
    def wait(self, wait: float) -> None:
        self.now += wait

    @rule(
        kept=st.sets(key_ids),
        secret=st.sampled_from(["one", "one", "rotated"]),
        fewer=st.integers(0, 2),
        far_is_here=st.booleans(),
    )
    def reload(self, kept: set[str], secret: str, fewer: int, far_is_here: bool) -> None:
        keys = [
            replace(key, consumer_secret=secret, max_connections=max(1, key.max_connections - fewer))
            for key in ALL_KEYS
            if key.key_id in kept
        ]
        self.configured = {key.key_id: key for key in keys}
        self.far_is_here = far_is_here
        self.both(lambda pool: pool.replace(keys, self.now, lambda _address: far_is_here))

    def took(self, lease: Lease | None, states_before: dict[str, KeyState]) -> None:
        if lease is None:
            return
        assert states_before[lease.key_id] in (KeyState.OK, KeyState.COOLING)
        assert lease.key_id in self.configured
        same_key = [other for other in self.out if other.key_id == lease.key_id]
        assert len(same_key) < self.configured[lease.key_id].max_connections
        assert lease.serial not in {other.serial for other in self.out}
        self.out.append(lease)

    def states(self) -> dict[str, KeyState]:
        return {key_id: self.pool.state(key_id, self.now) for key_id in KEY_IDS}

    @rule(holder=holders, avoid=st.frozensets(key_ids, max_size=2))
    def lend(self, holder: str, avoid: frozenset[str]) -> None:
        states = self.states()
        ready = [
            key_id
            for key_id in self.configured.keys() - avoid
            if self.pool.may_connect(key_id, Purpose.FRESH, self.now).allowed
            and len(self.pool.leases_of(key_id)) < self.configured[key_id].max_connections
        ]
        lease = self.both(lambda pool: pool.lend(holder, self.now, avoid))
        self.took(lease, states)
        assert lease is None or lease.key_id not in avoid
        if ready:
            assert lease is not None
            assert lease.key_id in ready, "a key that may connect at once is preferred"

    @rule(holder=holders, key_id=key_ids)
    def lend_slot(self, holder: str, key_id: str) -> None:
        states = self.states()
        lease = self.both(lambda pool: pool.lend_slot(key_id, holder, self.now))
        self.took(lease, states)

    @rule(holder=holders, key_id=key_ids, purpose=st.sampled_from(Purpose))
    def lend_spare(self, holder: str, key_id: str, purpose: Purpose) -> None:
        states = self.states()
        lease = self.both(lambda pool: pool.lend_spare(holder, key_id, purpose, self.now))
        self.took(lease, states)
        if lease is not None:
            assert lease.key_id != key_id
            assert self.pool.may_connect(lease.key_id, purpose, self.now).allowed

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        states = self.states()
        old = data.draw(st.sampled_from(self.out))
        lease = self.both(lambda pool: pool.move(old, self.now))
        self.took(lease, states)
        if lease is not None:
            assert (lease.holder, lease.key_id == old.key_id) == (old.holder, False)
            assert self.pool.may_connect(lease.key_id, Purpose.FRESH, self.now).allowed
            waits_until = self.pool.may_connect(old.key_id, Purpose.FRESH, self.now).not_before
            assert waits_until is not None
            assert waits_until > self.now + 1, "a short wait is waited out"

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.out))
        self.out.remove(lease)
        self.both(lambda pool: pool.give_back(lease, self.now))
        if not self.pool.leases_of(lease.key_id):
            self.open = [stream for stream in self.open if stream[0] != lease.key_id]

    @rule(key_id=key_ids, purpose=st.sampled_from(Purpose), succeeds=st.booleans(), failure=failures)
    def connect(self, key_id: str, purpose: Purpose, succeeds: bool, failure: Failure) -> None:
        verdict = self.both(lambda pool: pool.may_connect(key_id, purpose, self.now))
        if not verdict.allowed:
            assert verdict.reason
            assert verdict.not_before is None or verdict.not_before > self.now
            return
        self.both(lambda pool: pool.records.spend(key_id, self.now))
        self.connects[key_id].append(self.now)
        counting = [at for at in self.connects[key_id] if at > self.now - LIMITS.connects_window]
        assert len(counting) <= LIMITS.connects - (2 if purpose is Purpose.REFRESH else 0)
        if succeeds:
            self.both(lambda pool: pool.records.connected(key_id, self.now))
            self.open.append((key_id, self.now))
        else:
            self.both(lambda pool: pool.records.failed(key_id, self.now, failure))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), kind=st.sampled_from(DisconnectKind))
    def end_stream(self, data: st.DataObject, kind: DisconnectKind) -> None:
        key_id, since = data.draw(st.sampled_from(self.open))
        self.open.remove((key_id, since))
        self.both(lambda pool: pool.records.stream_ended(key_id, self.now, self.now - since, kind))

    @rule(away=st.sampled_from([0.0, 40.0, 2000.0]))
    def dump_and_load(self, away: float) -> None:
        """Another pool that loads the dump says the same, `away` seconds later."""
        wall = 1_790_000_000.0
        dump = json.loads(json.dumps(self.pool.dump(self.now, wall)))
        other = KeyPool(LIMITS, random.Random(2))
        other.load(dump, 7.0, wall + away)
        other.replace(self.configured.values(), 7.0, lambda _address: self.far_is_here)
        later = self.now + away
        for key_id in self.configured:
            if self.pool.state(key_id, self.now) is KeyState.SUSPECT:
                continue  # its stream is over with the master: quarantined
            for purpose in Purpose:
                here = self.pool.may_connect(key_id, purpose, later)
                there = other.may_connect(key_id, purpose, 7.0)
                waits = [(v.not_before or at) - at for v, at in ((here, later), (there, 7.0))]
                assert abs(waits[0] - waits[1]) < 1e-3
                assert here.allowed == there.allowed or max(waits) < 1e-3
            assert self.pool.records.of(key_id).may_overlap() == other.records.of(key_id).may_overlap()

    @rule(key_id=key_ids)
    def overlap_refused(self, key_id: str) -> None:
        self.both(lambda pool: pool.records.overlap_refused(key_id))

    @invariant()
    def only_giving_back_ends_a_lease(self) -> None:
        """Nothing preempts: every lease that was not given back is still out."""
        known = [lease for key_id in KEY_IDS for lease in self.pool.leases_of(key_id)]
        assert sorted(known, key=lambda lease: lease.serial) == sorted(
            self.out, key=lambda lease: lease.serial
        )

    @invariant()
    def good_leases_fit_their_key(self) -> None:
        good = [lease for lease in self.out if self.pool.still_good(lease, self.now)]
        for key_id in KEY_IDS:
            mine = [lease for lease in good if lease.key_id == key_id]
            if mine:
                assert len(mine) <= self.configured[key_id].max_connections
                moved = [lease for lease in self.out if lease.key_id == key_id and lease not in mine]
                assert all(lease.serial > mine[-1].serial for lease in moved), "the newest have to move"

    @invariant()
    def suspects_stream(self) -> None:
        streaming = {key_id for key_id, _since in self.open}
        suspects = {key_id for key_id, state in self.states().items() if state is KeyState.SUSPECT}
        assert suspects <= streaming

    @invariant()
    def statuses_agree_with_verdicts(self) -> None:
        for status in self.both(lambda pool: pool.statuses(self.now)):
            verdict = self.pool.may_connect(status.key_id, Purpose.FRESH, self.now)
            assert verdict.not_before == status.not_before
            assert status.lent == len(self.pool.leases_of(status.key_id))
            assert 0 <= status.budget_left <= LIMITS.connects

    @invariant()
    def the_timer_misses_nothing(self) -> None:
        """Until next_change no verdict changes by time alone."""
        due = self.both(lambda pool: pool.next_change(self.now))
        just_before = self.now + 1e6 if due is None else self.now + (due - self.now) * 0.999
        for key_id in self.configured:
            for purpose in Purpose:
                now, later = (self.pool.may_connect(key_id, purpose, at) for at in (self.now, just_before))
                assert now.allowed == later.allowed
            assert self.pool.state(key_id, just_before) == self.pool.state(key_id, self.now)


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_the_pool_holds_its_promises_whatever_happens = PoolMachine.TestCase
