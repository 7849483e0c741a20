"""A step looks at the connections that an event concerns, and that is as good as a look at all of them."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.stepping import PlannedWorld

from traptor.common.birth import Birth
from traptor.common.messages import DisconnectKind
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.spec import Spec
from traptor.supervisor.workers.states import GenerationState

GROUPS = 40


@pytest.fixture
def master(tmp_path: Path) -> PlannedWorld:
    """40 groups of one rule each, of which two may start at once."""
    return started(PlannedWorld(tmp_path, keys=GROUPS, supervisor="start_parallel = 2"), GROUPS)


def started(master: PlannedWorld, groups: int) -> PlannedWorld:
    for number in range(groups):
        master.set_rules(f"track:{number}", range(1))
    master.settle()
    return master


def in_state(master: PlannedWorld, state: GenerationState) -> list[Generation]:
    return [g for g in master.fleet.generations if g.state is state]


def start_all(master: PlannedWorld) -> int:
    """Let every worker start and connect, one event at a time; how many looks the steps took."""
    looks = 0
    while in_state(master, GenerationState.STARTING) or in_state(master, GenerationState.READY):
        for g in in_state(master, GenerationState.STARTING)[:1]:
            master.ready(g)
        for g in in_state(master, GenerationState.CONNECTING)[:1]:
            master.connected(g)
        for step in master.settle():
            assert step.looked_at is not None, "no event here concerns all connections"
            looks += len(step.looked_at)
        master.now += 0.5
    for g in in_state(master, GenerationState.CONNECTING):
        master.connected(g)
    return looks


def test_an_event_makes_the_step_look_at_its_connection_alone(master: PlannedWorld) -> None:
    start_all(master)
    master.settle()
    g = master.connections["track:7"].serving
    assert g is not None
    master.disconnected(g, DisconnectKind.SERVER_CLOSE)
    assert [step.looked_at for step in master.settle()] == [{"track:7"}]
    master.now += 400.0
    master.settle()
    master.end(g)
    assert [step.looked_at for step in master.settle()] == [{"track:7"}]


def test_the_looks_of_a_start_grow_with_the_connections_and_not_with_their_square(tmp_path: Path) -> None:
    looks = {}
    for count in (10, 40):
        master = PlannedWorld(tmp_path, keys=count, supervisor="start_parallel = 2")
        looks[count] = start_all(started(master, count))
        assert len(in_state(master, GenerationState.STREAMING)) == count
    assert looks[40] <= 4.5 * looks[10]
    assert looks[40] <= 6 * 40, "forked, ready, permitted, connected, and a wait or two"


def calls_of(work: Callable[[], object]) -> int:
    """How many of Python's functions are called, which no load of the machine changes."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_the_work_of_a_stop_grows_with_the_groups_and_not_with_their_square(tmp_path: Path) -> None:
    calls = {}
    for count in (50, 200):  # without keys: all of them wait
        master = started(PlannedWorld(tmp_path, keys=0), count)
        master.context.stopping = True
        master.agenda.look_at_all()
        calls[count] = calls_of(master.settle)
    assert calls[200] <= 4.5 * calls[50]
    assert calls[200] <= 100 * 200, "a look or two at each"


def test_who_waits_to_start_starts_when_another_has_and_the_largest_comes_first(tmp_path: Path) -> None:
    master = PlannedWorld(tmp_path, keys=4, supervisor="start_parallel = 1")
    for number, rules in enumerate((1, 2, 4, 3)):
        master.set_rules(f"track:{number}", range(rules))
    master.settle()
    assert [what for what, _ in master.fleet.told] == ["fork"]
    forked = []
    while starting := in_state(master, GenerationState.STARTING):
        forked += [g.birth.connection for g in starting]
        master.ready(starting[0])
        master.settle()
    assert forked == ["track:2", "track:3", "track:1", "track:0"]


def test_a_connect_that_comes_due_while_others_are_forked_does_not_wait_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"supervisor": "start_parallel = 2", "twitter": "connect_rate = 10"}
    master = PlannedWorld(tmp_path, keys=4, **options)
    for number in range(4):
        master.set_rules(f"track:{number}", range(4 - number))
    master.settle()
    fork = master.fleet.fork

    def slow_fork(birth: Birth, spec: Spec) -> Generation:
        master.now += 0.3  # three times as long as connects must be apart
        return fork(birth, spec)

    monkeypatch.setattr(master.fleet, "fork", slow_fork)
    for g in in_state(master, GenerationState.STARTING):
        master.ready(g)
    master.settle()
    assert master.fleet.told[2:] == [
        ("connect", "track:0#1"),
        ("fork", "track:2#1"),
        ("connect", "track:1#1"),
        ("fork", "track:3#1"),
    ]


def test_no_step_forks_so_many_that_workers_wait_long_to_be_heard(tmp_path: Path) -> None:
    master = PlannedWorld(tmp_path, keys=GROUPS, supervisor=f"start_parallel = {GROUPS}")
    for number in range(GROUPS):
        master.set_rules(f"track:{number}", range(1))
    forked = 0
    while forked < GROUPS:
        step = master.reconciler.reconcile()
        now_forked = len(master.fleet.generations)
        assert 0 < now_forked - forked <= 4
        forked = now_forked
        assert (step.next_at == master.now) == (forked < GROUPS), "the next one follows at once"


def test_a_worker_that_crashes_does_not_overtake_those_that_wait_to_start(tmp_path: Path) -> None:
    master = PlannedWorld(tmp_path, keys=3, supervisor="start_parallel = 1")
    for number, rules in enumerate((3, 2, 1)):
        master.set_rules(f"track:{number}", range(rules))
    master.settle()
    for name in ("track:0", "track:1"):
        g = next(g for g in in_state(master, GenerationState.STARTING) if g.birth.connection == name)
        master.ready(g)
        master.settle()
    (last,) = in_state(master, GenerationState.STARTING)
    assert last.birth.connection == "track:2"
    small = master.connections["track:1"].serving
    assert small is not None
    master.end(small)
    master.settle()
    master.now += 3_600.0
    master.settle()
    wait = master.connections["track:1"].wait
    assert wait is not None
    assert wait.kind is WaitKind.TURN
    master.ready(last)
    master.settle()
    assert [g.birth.connection for g in in_state(master, GenerationState.STARTING)] == ["track:1"]


def test_a_connection_without_a_key_gets_the_one_that_becomes_free(tmp_path: Path) -> None:
    master = started(PlannedWorld(tmp_path, keys=1), 2)
    holder = next(c for c in master.connections.values() if c.lease is not None)
    other = next(c for c in master.connections.values() if c is not holder)
    assert other.wait is not None
    assert other.wait.kind is WaitKind.NO_KEY
    g = holder.serving
    assert g is not None
    master.ready(g)
    master.settle()
    master.disconnected(g, DisconnectKind.HTTP, 406)  # its rules are refused: the key is free
    master.settle()
    assert holder.lease is None
    assert other.lease is not None
    assert other.serving is not None


def test_who_holds_a_refused_key_beside_another_is_looked_at_too(tmp_path: Path) -> None:
    master = started(PlannedWorld(tmp_path, keys=1, max_connections=2), 2)
    one, two = master.connections.values()
    for c in (one, two):
        assert c.serving is not None
        master.ready(c.serving)
    master.settle()
    assert one.serving is not None
    master.disconnected(one.serving, DisconnectKind.HTTP, 401)
    master.settle()
    assert one.lease is None
    assert two.lease is None


def test_a_lost_event_is_made_up_for_by_the_look_at_all(master: PlannedWorld) -> None:
    (first, *_) = in_state(master, GenerationState.STARTING)
    master.ready(first)
    master.agenda.take(master.now)  # lost
    master.settle()
    assert ("connect", first.name) not in master.fleet.told
    master.agenda.look_at_all()
    master.settle()
    assert ("connect", first.name) in master.fleet.told


class EventsAgainstLooks(RuleBasedStateMachine):
    """Whatever happens, in whatever order: a look at all finds nothing left to do."""

    @initialize(
        keys=st.integers(1, 5),
        slots=st.integers(1, 2),
        parallel=st.integers(1, 8),
        handover=st.sampled_from(["slot, spare, overlap, serial", "serial", "overlap", "spare"]),
    )
    def begin(self, keys: int, slots: int, parallel: int, handover: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.master = PlannedWorld(
            Path(self.folder.name),
            keys=keys,
            max_connections=slots,
            supervisor=f"start_parallel = {parallel}\nhandover = {handover}",
            twitter="follow_limit = 5\ntrack_limit = 5",
        )
        self.has_room, fork = True, self.master.fleet.fork

        def fork_with_room(birth: Birth, spec: Spec) -> Generation:
            if not self.has_room:
                raise OSError("out of memory")
            return fork(birth, spec)

        self.master.fleet.fork = fork_with_room  # type: ignore[method-assign]
        logging.disable(logging.CRITICAL)

    def teardown(self) -> None:
        logging.disable(logging.NOTSET)
        if hasattr(self, "master"):
            self.folder.cleanup()

    def pick(self, number: int, *states: GenerationState) -> Generation | None:
        able = [g for g in self.master.fleet.generations if g.state in states and not g.killed]
        return able[number % len(able)] if able else None

    @rule(group=st.integers(0, 4), first=st.integers(0, 5), count=st.integers(0, 12))
    def rules_change(self, group: int, first: int, count: int) -> None:
        self.master.set_rules(f"track:{group}", range(first, first + count))

    @rule(number=st.integers(0, 99))
    def starts(self, number: int) -> None:
        if (g := self.pick(number, GenerationState.STARTING)) is not None:
            self.master.ready(g)

    @rule(number=st.integers(0, 99))
    def connects(self, number: int) -> None:
        if (g := self.pick(number, GenerationState.CONNECTING)) is not None:
            self.master.connected(g)

    @rule(
        number=st.integers(0, 99),
        kind=st.sampled_from([DisconnectKind.SERVER_CLOSE, DisconnectKind.NETWORK, DisconnectKind.STALL]),
    )
    def loses_its_stream(self, number: int, kind: DisconnectKind) -> None:
        if (g := self.pick(number, GenerationState.STREAMING)) is not None:
            self.master.disconnected(g, kind)

    @rule(number=st.integers(0, 99), status=st.sampled_from([401, 403, 406, 420, 429, 503]))
    def is_refused(self, number: int, status: int) -> None:
        if (g := self.pick(number, GenerationState.CONNECTING)) is not None:
            self.master.disconnected(g, DisconnectKind.HTTP, status)

    @rule(number=st.integers(0, 99))
    def obeys(self, number: int) -> None:
        """What was told to close its stream, or to end, does."""
        for g in [g for g in self.master.fleet.generations if g.closing and g.streams]:
            self.master.disconnected(g, DisconnectKind.OWN_CLOSE)
        if (g := self.pick(number, GenerationState.DRAINING)) is not None:
            self.master.end(g, 0)

    @rule(number=st.integers(0, 99))
    def dies(self, number: int) -> None:
        if living := self.master.fleet.generations:
            self.master.end(living[number % len(living)])

    @rule(has_room=st.booleans())
    def host_fills_or_empties(self, has_room: bool) -> None:
        """While it is full, no worker can be forked."""
        self.has_room = has_room

    @rule(by_s=st.sampled_from([0.1, 0.6, 3.0, 11.0, 70.0, 400.0, 1_000.0]))
    def time_passes(self, by_s: float) -> None:
        """As far as the next step that is due, at most."""
        due = self.master.settle()[-1].next_at
        self.master.now = min(self.master.now + by_s, due if due is not None else self.master.now + by_s)
        for g in self.master.fleet.generations:
            g.last_heard = self.master.now  # a hung worker is found by the clock, not here
        self.master.context.run_clock.tick(self.master.now)

    @invariant()
    def a_look_at_all_finds_nothing_to_do(self) -> None:
        if not hasattr(self, "master"):
            return
        self.master.settle()
        told, states = list(self.master.fleet.told), self.states()
        self.master.agenda.look_at_all()
        self.master.settle()
        assert self.master.fleet.told == told
        assert self.states() == states

    def states(self) -> list[tuple[object, ...]]:
        return [
            (
                c.name,
                c.state(self.master.now),
                c.lease,
                c.handover.way,
                c.wanted and c.wanted.spec,
                c.wait and c.wait.kind,
            )
            for c in sorted(self.master.connections.values(), key=lambda c: c.name)
        ]


EventsAgainstLooks.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_events_bring_about_all_that_a_look_at_all_would = EventsAgainstLooks.TestCase


def test_events_are_enough_also_where_a_successor_cannot_be_forked() -> None:
    machine = EventsAgainstLooks()
    steps: list[Callable[[], None]] = [
        lambda: machine.begin(keys=1, slots=1, parallel=2, handover="slot, spare, overlap, serial"),
        lambda: machine.rules_change(group=0, first=1, count=1),
        lambda: machine.host_fills_or_empties(has_room=False),
        lambda: machine.rules_change(group=0, first=0, count=1),
        lambda: machine.time_passes(by_s=11.0),
    ]
    try:
        for step in steps:
            step()
            machine.a_look_at_all_finds_nothing_to_do()
    finally:
        machine.teardown()


def test_a_successor_that_could_not_be_forked_is_tried_again_as_soon_as_a_crashed_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "refresh_min_interval = 10s\nrestart_backoff = 1s"
    master = started(PlannedWorld(tmp_path, keys=1, supervisor=options), 1)
    fork = master.fleet.fork

    def no_fork(birth: Birth, spec: Spec) -> Generation:
        raise OSError("out of memory")

    monkeypatch.setattr(master.fleet, "fork", no_fork)
    master.set_rules("track:0", range(2))
    wait = (master.settle(), master.connections["track:0"].wait)[1]
    assert wait is not None
    assert wait.kind is WaitKind.REFRESH_DUE
    assert wait.until is not None
    assert wait.until < master.now + 3.0, "nothing was refreshed, so no interval between refreshes counts"
    monkeypatch.setattr(master.fleet, "fork", fork)
    master.now = wait.until
    master.settle()
    assert master.connections["track:0"].successor is not None
