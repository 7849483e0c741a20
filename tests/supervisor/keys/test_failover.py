"""Moving off a key that may not connect: worth it or not, and never through the whole pool at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.keypools import make_key, make_pool

from traptor.common.messages import DisconnectKind
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.failures import LASTING_S, Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.failover import KeyWait, Move, Trial, choose_move
from traptor.supervisor.keys.leases import Lease

LIMITS = PoolLimits()
FRESH, HELD = Trial(), Trial(moves=1, not_before=60.0)
LIMITED, CLOSED, BROKEN = FailureKind.RATE_LIMITED, FailureKind.CLOSED, FailureKind.BROKEN
NETWORK, HTTP = FailureKind.NETWORK, FailureKind.HTTP
ENDS = {CLOSED: DisconnectKind.SERVER_CLOSE, BROKEN: DisconnectKind.NETWORK}


# ---- the choice


@pytest.mark.parametrize(
    ("wait", "first", "held"),
    [
        (KeyWait(60.0, False, LIMITED), Move.TRY, Move.STAY),
        (KeyWait(5.0, False, CLOSED), Move.TRY, Move.STAY),
        (KeyWait(5.0, False, BROKEN), Move.TRY, Move.STAY),
        (KeyWait(5.0, False, HTTP), Move.STAY, Move.STAY),
        (KeyWait(16.0, False, NETWORK), Move.STAY, Move.STAY),
        (KeyWait(280.0, True, None), Move.GO, Move.GO),
        (KeyWait(280.0, True, LIMITED), Move.TRY, Move.STAY),
        (KeyWait(280.0, True, NETWORK), Move.TRY, Move.STAY),
        (KeyWait(280.0, True, HTTP), Move.STAY, Move.STAY),
        (KeyWait(1.0, False, LIMITED), Move.STAY, Move.STAY),
        (KeyWait(0.25, True, None), Move.STAY, Move.STAY),
    ],
)
def test_a_move_is_made_where_another_key_can_help(wait: KeyWait, first: Move, held: Move) -> None:
    assert choose_move(wait, FRESH, 10.0) is first
    assert choose_move(wait, HELD, 10.0) is held
    assert choose_move(wait, HELD, 60.0) is first, "the trial's time is over"


def test_trials_that_show_nothing_come_ever_more_seldom() -> None:
    trial, now, pauses = Trial(), 0.0, []
    for _ in range(8):
        trial = trial.moved(LIMITED, LIMITS, now)
        pauses.append(trial.due - now)
        now = trial.due
    assert pauses == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]


def test_a_200_after_a_rate_limit_lets_the_others_follow_at_once() -> None:
    assert Trial().moved(LIMITED, LIMITS, 0.0).connected(1.0) == Trial()


@pytest.mark.parametrize("end", ENDS)
def test_after_an_early_end_only_a_stream_that_lasts_lets_the_others_follow(end: FailureKind) -> None:
    opened = Trial().moved(end, LIMITS, 0.0).connected(1.0)
    assert opened.due == 1.0 + LASTING_S
    assert opened.closed(2.0).due == 60.0
    assert opened.moved(end, LIMITS, opened.due).due == opened.due + 60.0, "the steps begin anew"
    assert opened.closed(2.0).moved(end, LIMITS, 60.0).due == 60.0 + 120.0


def test_a_stream_that_has_lasted_counts_though_another_is_closed_before_anybody_moves() -> None:
    opened = Trial().moved(CLOSED, LIMITS, 0.0).connected(1.0)
    assert opened.connected(12.0) == opened.closed(12.0) == Trial()


# ---- a pool and a server: what all this comes to


@dataclass
class World:
    """Connections that want to stream, played through with a pool; `answer` is the server, by key name."""

    connections: int
    keys: int
    answer: Callable[[str], Failure | None]  # None: a stream
    now: float = 0.0
    connects: list[tuple[float, str]] = field(default_factory=list)
    streams: dict[str, str] = field(default_factory=dict)  # connection, name of its key

    def __post_init__(self) -> None:
        keys = [make_key(f"k{number}") for number in range(self.keys)]
        self.names = {key.key_id: key.name for key in keys}
        self.pool = make_pool(*keys)
        self.leases: dict[str, Lease] = {}
        for number in range(self.connections):
            lease = self.pool.lend(f"track:{number}", 0.0)
            assert lease is not None
            self.leases[lease.holder] = lease

    def run(self, until: float) -> None:
        """Look again whenever something may have changed, as the master does."""
        while self.now < until:
            before = len(self.connects)
            for name in self.leases:
                if name not in self.streams:
                    self._step(name)
            if len(self.connects) == before:
                due = self.pool.next_change(self.now)
                self.now = until if due is None else min(due, until)

    def _step(self, name: str) -> None:
        old = self.leases[name]
        if (spare := self.pool.move(old, self.now)) is not None:
            self.leases[name] = spare
            self.pool.give_back(old, self.now)
        key_id = self.leases[name].key_id
        if self.pool.may_connect(key_id, Purpose.FRESH, self.now).allowed:
            self._connect(name, key_id)

    def _connect(self, name: str, key_id: str) -> None:
        key = self.names[key_id]
        self.pool.records.spend(key_id, self.now)
        self.connects.append((self.now, key))
        self.now += 0.01
        failure = self.answer(key)
        if failure is None or failure.kind in ENDS:
            self.pool.records.connected(key_id, self.now)
        if failure is None:
            self.streams[name] = key
        elif failure.kind in ENDS:
            self.pool.records.stream_ended(key_id, self.now, 0.0, ENDS[failure.kind])
        else:
            self.pool.records.failed(key_id, self.now, failure)

    def used(self) -> set[str]:
        """The keys that were asked."""
        return {key for _, key in self.connects}


@pytest.mark.parametrize("kind", [LIMITED, CLOSED, BROKEN])
def test_a_key_that_fails_costs_its_connection_no_wait_when_a_spare_is_good(kind: FailureKind) -> None:
    world = World(1, 2, lambda key: Failure(kind) if key == "k0" else None)
    world.run(1.0)
    assert world.streams == {"track:0": "k1"}


def test_several_limited_keys_are_left_one_after_the_other_within_a_second() -> None:
    world = World(4, 8, lambda key: Failure(LIMITED) if key in ("k0", "k1", "k2", "k3") else None)
    world.run(1.0)
    assert len(world.streams) == 4
    assert len(world.connects) == 8


@given(kind=st.sampled_from([LIMITED, CLOSED, HTTP]), connections=st.integers(1, 5), spares=st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_when_every_key_fares_alike_one_spare_is_asked_and_no_more(
    kind: FailureKind, connections: int, spares: int
) -> None:
    world = World(connections, connections + spares, lambda _key: Failure(kind))
    world.run(4.9)
    most = connections + (1 if spares and kind is not HTTP else 0)
    assert len(world.connects) == len(world.used()) == most


@given(
    kind=st.sampled_from([LIMITED, CLOSED, BROKEN, NETWORK, HTTP]),
    connections=st.integers(1, 4),
    spares=st.integers(0, 8),
)
@settings(max_examples=40, deadline=None)
def test_in_an_hour_without_any_stream_the_pool_is_asked_ever_more_seldom(
    kind: FailureKind, connections: int, spares: int
) -> None:
    world = World(connections, connections + spares, lambda _key: Failure(kind))
    world.run(3600.0)
    assert not world.streams
    if kind in (LIMITED, CLOSED, BROKEN):
        assert len(world.used()) <= connections + 7, "trials at 0, 1, 3, 7, 15, 31 minutes or a little later"
    for key in world.used():
        times = [at for at, asked in world.connects if asked == key]
        windows = zip(times, times[LIMITS.connects :], strict=False)
        assert all(late - early > LIMITS.connects_window - 1e-6 for early, late in windows)


def test_an_outage_of_the_network_that_uses_a_budget_up_is_over_with_the_spare() -> None:
    """The server was reached each time, and reset the connection: five tries in a few seconds."""
    world = World(1, 2, lambda key: Failure(NETWORK) if key == "k0" else None)
    world.run(10.0)
    assert world.streams == {"track:0": "k1"}
    assert [key for _, key in world.connects] == ["k0"] * 5 + ["k1"]


def test_a_key_that_failed_last_is_tried_after_one_that_did_not() -> None:
    pool = make_pool(*(make_key(name) for name in "abc"))
    first = pool.lend("track:0", 0.0)
    assert first is not None
    pool.records.failed(first.key_id, 0.0, Failure(LIMITED))
    pool.give_back(first, 0.0)
    lease = pool.lend("track:0", 1000.0)
    assert lease is not None
    assert lease.key_id == make_key("b").key_id
