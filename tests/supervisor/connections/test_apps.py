"""With v2, a connection asks its app before it connects, and tells it what X says."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.making_posts import single
from support.paperapp import PaperApp, PaperApps, PaperSlots
from support.stepping import A, B, SteppedWorld, make_rules

from traptor.common.counts import Counters
from traptor.common.knowledge import Knowledge
from traptor.common.messages import Activity, DisconnectKind, Report
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.handover import Way
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.money.reads import Reads
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.states import ConnectionState, GenerationState

KNOWN = Knowledge.of(make_rules("track:0", "storm"), [single("11", "track:0", "storm")])


class World(SteppedWorld):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, A, B)
        self.app, self.slots = PaperApp(), PaperSlots()
        self.context.apps, self.context.slots = PaperApps({A.key_id: self.app}), self.slots
        self.c = self.connection("track:0", "storm")
        self.c.app = A.key_id

    def told(self, what: str) -> int:
        return sum(one == what for one, _ in self.fleet.told)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def wait_of(c: Connection) -> WaitKind | None:
    return c.wait.kind if c.wait is not None else None


def test_it_connects_with_its_apps_token_alone(world: World) -> None:
    g = world.stream(world.c)
    assert g.connect is not None
    assert (g.connect.bearer_token, g.connect.consumer_key) == (world.app.token, "")
    assert world.app.heard == ["connected"]
    assert world.slots.heard == ["connecting", "connected"]


def test_no_other_key_serves_it(world: World) -> None:
    world.refused(world.start(world.c), 403)
    assert world.pool.state(A.key_id, world.now) is KeyState.QUARANTINED
    assert (world.c.lease, wait_of(world.c)) == (None, WaitKind.KEYS_REFUSED)


def test_rules_are_told_to_the_worker_that_streams_and_before_a_connect(world: World) -> None:
    g = world.start(world.c)
    world.app.knowledge = Knowledge(make_rules("track:0", "storm", "flood"))
    world.connected(g)
    assert [what for what, _ in world.fleet.told] == ["fork", "connect", "rules"]
    world.after(1.0)
    assert world.told("rules") == 1, "once for each change"
    assert world.told("fork") == 1


def test_a_held_app_is_not_connected_to_until_it_lets_go(world: World) -> None:
    world.app.knowledge = KNOWN
    world.app.held = Hold(HoldKind.FOREIGN_FILTERS, "filters of others: 'kittens'")
    world.start(world.c)
    assert (world.told("connect"), wait_of(world.c)) == (0, WaitKind.FOREIGN_FILTERS)
    world.app.held = None
    world.step()
    assert world.told("connect") == 1


@pytest.mark.parametrize("kind", HoldKind)
def test_no_worker_is_forked_that_would_have_nothing_to_match_by(world: World, kind: HoldKind) -> None:
    world.app.held = Hold(kind, "not known yet")
    world.step()
    assert (world.told("fork"), wait_of(world.c)) == (0, WaitKind(kind.value))
    world.app.held = None
    world.step()
    assert world.told("fork") == 1


@pytest.mark.parametrize("kind", [HoldKind.OUT_OF_CREDIT, HoldKind.CAPPED, HoldKind.FOREIGN_FILTERS])
def test_a_worker_of_an_app_whose_filters_are_known_waits_ready(world: World, kind: HoldKind) -> None:
    world.app.knowledge = KNOWN
    world.app.held = Hold(kind, "not now")
    world.start(world.c)
    assert (world.told("fork"), world.told("connect"), wait_of(world.c)) == (1, 0, WaitKind(kind.value))


def test_a_cap_closes_the_stream_and_its_end_opens_it(world: World) -> None:
    g = world.stream(world.c, seconds_ago=20)
    world.app.held = Hold(HoldKind.CAPPED, "daily_posts is reached", time.time() + 100)
    world.step()
    assert world.told("close") == 1
    world.ended(g, DisconnectKind.OWN_CLOSE)
    assert world.c.gaps.standing.cause is GapCause.COST
    assert world.c.state(world.now) is ConnectionState.CAPPED
    world.app.held = None
    world.step()
    assert (world.told("connect"), world.told("fork")) == (2, 1)


@pytest.mark.parametrize(
    ("status", "problem", "heard", "cause"),
    [
        (402, "credits", "out of credit: X answered 402: credits", GapCause.COST),
        (429, "usage-capped", "usage capped: X answered 429: usage-capped", GapCause.COST),
        (409, "RuleConfigurationIssue", "doubt", GapCause.RULES_REFUSED),
    ],
)
def test_what_x_says_reaches_the_app_and_the_key_does_not_rest(
    world: World, status: int, problem: str, heard: str, cause: GapCause
) -> None:
    g = world.start(world.c)
    world.app.held = Hold(HoldKind.SYNCING, "what the app does about it")
    world.disconnected(g, DisconnectKind.HTTP, status, problem)
    assert world.app.heard == [heard]
    assert world.c.gaps.standing.cause is cause
    assert world.pool.state(A.key_id, world.now) is KeyState.OK
    world.app.held = None
    world.step()
    assert world.told("connect") == 2


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, GapCause.RULES_REFUSED),
        (401, GapCause.KEY_REFUSED),
        (402, GapCause.COST),
        (403, GapCause.KEY_REFUSED),
        (404, GapCause.RULES_REFUSED),
        (408, GapCause.NETWORK),
        (409, GapCause.RULES_REFUSED),
        (422, GapCause.RULES_REFUSED),
        (429, GapCause.RATE_LIMITED),
        (503, GapCause.NETWORK),
    ],
)
def test_a_status_without_a_problem_has_its_cause_which_stays(
    world: World, status: int, cause: GapCause
) -> None:
    g = world.start(world.c)
    for _ in range(2):  # a 409, and a 401 of a fetched token, are cured and asked again
        world.disconnected(g, DisconnectKind.HTTP, status)
        world.step()
        assert world.c.gaps.standing.cause is cause
        if g.state is not GenerationState.CONNECTING:
            break


def test_a_second_answer_that_there_are_no_filters_is_waited_out(world: World) -> None:
    g = world.start(world.c)
    for _ in range(2):
        world.disconnected(g, DisconnectKind.HTTP, 409, "RuleConfigurationIssue")
        world.step()
    assert (world.told("connect"), wait_of(world.c)) == (2, WaitKind.REQUEST_REFUSED)
    assert world.c.gaps.standing.cause is GapCause.RULES_REFUSED


def test_a_taken_connection_is_looked_at_and_waited_for_until_it_is_free(world: World) -> None:
    g = world.start(world.c)
    world.slots.by = "held from 203.0.113.9 since noon"
    world.disconnected(g, DisconnectKind.HTTP, 429, "TooManyConnections")
    world.step()
    assert world.slots.heard[-1] == "taken"
    assert world.c.gaps.standing.cause is GapCause.SLOT_HELD
    assert world.c.wait is not None
    assert world.c.wait.text == "the app's connection is taken: held from 203.0.113.9 since noon"
    world.pool.records.slot_freed(A.key_id)
    world.step()
    assert world.told("connect") == 2


@pytest.mark.parametrize(
    ("problem", "cause"), [("usage-capped", GapCause.COST), ("TooManyConnections", GapCause.SLOT_HELD)]
)
def test_a_stream_that_ends_for_such_a_reason_has_that_cause(
    world: World, problem: str, cause: GapCause
) -> None:
    g = world.stream(world.c, seconds_ago=20)
    world.disconnected(g, DisconnectKind.SERVER_CLOSE, problem=problem)
    assert world.c.gaps.standing.cause is cause


def test_the_app_hears_what_a_worker_has_read_and_that_it_is_gone(world: World) -> None:
    g = world.stream(world.c, seconds_ago=20)
    for posts in (3, 5):
        counters = Counters(foreign=1, reads={"posts": posts, "included_posts": 1, "included_users": 2})
        world.say(g, _report(world.now, counters))
    assert world.app.reads == {g.name: Reads(posts=5, included_posts=1, included_users=2, foreign=1)}
    assert f"ended {g.name}" not in world.app.heard
    world.gone(g)
    assert f"ended {g.name}" in world.app.heard


def _report(now: float, counters: Counters) -> Report:
    return Report(
        at=now,
        activity=Activity.READING,
        activity_since=now,
        last_byte_at=now,
        safe_until=now,
        backlog=0,
        outbox_bytes=0,
        counters=counters,
    )


def changed(world: World, token: str) -> Generation:
    """A reload gives its key another token; the successor is ready and asks."""
    key = replace(A, bearer_token=token)
    world.set_keys(key)
    world.app.token = token
    world.step()
    world.ready(world.successor(world.c))
    return world.successor(world.c)


def test_a_changed_token_replaces_the_worker_one_after_the_other(world: World) -> None:
    old = world.stream(world.c, seconds_ago=20)
    new = changed(world, "new-token")
    assert world.fleet.told[-1] == ("close", old.name)
    world.ended(old, DisconnectKind.OWN_CLOSE)
    assert new.connect is not None
    assert new.connect.bearer_token == "new-token"
    assert world.c.gaps.standing.cause is GapCause.REFRESH


def test_no_stream_is_closed_for_a_token_that_x_does_not_take(world: World) -> None:
    old = world.stream(world.c, seconds_ago=20)
    world.app.held = Hold(HoldKind.BEARER_REFUSED, "X does not take the consumer key")
    changed(world, "new-token")
    assert (old.streams, world.told("close")) == (True, 0)
    assert world.c.wait is not None
    assert world.c.wait.text == "refresh waits: X does not take the consumer key"


def test_a_refusal_of_a_former_token_says_nothing_of_the_new_one(world: World) -> None:
    world.set_keys(replace(A, bearer_token="former"))
    world.app.token = "former"
    g = world.start(world.c)
    world.set_keys(replace(A, bearer_token="corrected"))
    world.app.token = "corrected"
    world.disconnected(g, DisconnectKind.HTTP, 401, "Unauthorized")
    world.step()
    assert world.pool.state(A.key_id, world.now) is KeyState.OK
    assert g.state is GenerationState.CONNECTING
    assert g.connect is not None
    assert g.connect.bearer_token == "corrected"


def test_the_old_worker_returns_with_its_token_when_the_new_one_is_refused(world: World) -> None:
    old = world.stream(world.c, seconds_ago=20)
    assert old.connect is not None
    token = old.connect.bearer_token
    new = changed(world, "new-token")
    world.ended(old, DisconnectKind.OWN_CLOSE)
    world.app.held = Hold(HoldKind.BEARER_REFUSED, "X does not take the new token")
    world.disconnected(new, DisconnectKind.HTTP, 401, "Unauthorized")
    assert [one for one in world.fleet.told if one[0] == "connect"][-1] == ("connect", old.name)
    assert old.connect.bearer_token == token
    world.connected(old)
    assert world.pool.state(A.key_id, world.now) is KeyState.SUSPECT, "the new token is not tried again"


# ---- two connections of one app


class TwoWorld(SteppedWorld):
    """One whose app has two connections, which both stream."""

    def __init__(self, folder: Path, options: str = "") -> None:
        key = replace(A, max_connections=2)
        options = f"[supervisor]\nrefresh_min_interval = 10s\n{options}"
        super().__init__(folder, key, options=options, limits=PoolLimits(connects=50))
        self.app, self.slots = PaperApp(), PaperSlots()
        self.context.apps, self.context.slots = PaperApps({A.key_id: self.app}), self.slots
        self.first, self.second = self.connection("track:0", "storm"), self.connection("track:1", "storm")
        self.first.other, self.second.other = self.second, self.first
        self.first.app = self.second.app = A.key_id

    def other_settings(self) -> None:
        for c in (self.first, self.second):
            assert c.wanted is not None
            c.wanted = replace(c.wanted, spec=replace(c.wanted.spec, settings="other"))
        self.step()


@pytest.mark.parametrize("handover", ["slot", "slot, serial"])
def test_both_connections_of_an_app_are_replaced_one_after_the_other(tmp_path: Path, handover: str) -> None:
    world = TwoWorld(tmp_path, f"handover = {handover}\n")
    olds = [world.stream(c, seconds_ago=20) for c in (world.first, world.second)]
    world.other_settings()
    for c in (world.first, world.second):
        world.ready(world.successor(c))
    assert [g.closing for g in olds] == [GapCause.REFRESH, None]
    assert wait_of(world.second) is WaitKind.OTHER_FIRST
    world.ended(olds[0], DisconnectKind.OWN_CLOSE)
    world.connected(world.successor(world.first))
    world.after(9.0)
    assert olds[1].closing is None, "it reads what came while the other one was away"
    assert wait_of(world.second) is WaitKind.OTHER_FIRST
    world.after(1.5)
    assert olds[1].closing is GapCause.REFRESH
    world.ended(olds[1], DisconnectKind.OWN_CLOSE)
    world.connected(world.successor(world.second))
    assert [c.streams for c in (world.first, world.second)] == [True, True]


def test_a_connection_whose_other_is_away_for_long_is_replaced_alone(tmp_path: Path) -> None:
    world = TwoWorld(tmp_path)
    old = world.stream(world.first, seconds_ago=20)
    world.second.is_stopped = True
    world.other_settings()
    world.ready(world.successor(world.first))
    assert world.first.handover.way is Way.SLOT, "the stopped one needs none"
    assert old.streams


def test_a_refused_second_connection_lets_the_key_not_rest(tmp_path: Path) -> None:
    world = TwoWorld(tmp_path)
    old = world.stream(world.first, seconds_ago=20)
    world.disconnected(world.start(world.second), DisconnectKind.HTTP, 429, "TooManyConnections")
    world.step()
    assert world.pool.state(A.key_id, world.now) is KeyState.OK
    assert wait_of(world.second) is WaitKind.SLOT_HELD
    assert world.second.uncollected() == 0
    world.disconnected(old, DisconnectKind.SERVER_CLOSE)
    world.step()
    assert wait_of(world.first) is None, "the first connects again"


def test_a_refusal_that_comes_before_the_others_answer_is_of_that_one(tmp_path: Path) -> None:
    """Both ask at once, and X's 429 for one is read before its 200 for the other."""
    world = TwoWorld(tmp_path)
    first, second = world.start(world.first), world.start(world.second)
    world.disconnected(second, DisconnectKind.HTTP, 429, "TooManyConnections")
    world.step()
    assert world.pool.state(A.key_id, world.now) is KeyState.OK
    assert second.state is GenerationState.READY
    assert wait_of(world.second) is WaitKind.SLOT_HELD, "it is not asked for again meanwhile"
    world.connected(first)
    assert world.first.streams
    assert world.second.uncollected() == 0


def test_a_key_rests_whose_connections_are_both_refused(tmp_path: Path) -> None:
    world = TwoWorld(tmp_path)
    both = [world.start(world.first), world.start(world.second)]
    for g in both:
        world.disconnected(g, DisconnectKind.HTTP, 429, "TooManyConnections")
    world.step()
    assert world.pool.state(A.key_id, world.now) is KeyState.COOLING
    assert [wait_of(c) for c in (world.first, world.second)] == [WaitKind.SLOT_HELD] * 2


def test_a_cap_closes_both(tmp_path: Path) -> None:
    world = TwoWorld(tmp_path)
    both = [world.stream(c, seconds_ago=20) for c in (world.first, world.second)]
    world.app.held = Hold(HoldKind.CAPPED, "daily_posts is reached", time.time() + 100)
    world.step()
    assert [g.closing for g in both] == [GapCause.COST, GapCause.COST]
