"""Each way in which a generation is replaced, and in which that fails, over workers on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.keypools import make_key
from support.stepping import A, B, SteppedWorld

from traptor.common.config.keys.key import ApiKey
from traptor.common.messages import Connect, DisconnectKind
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.handover import Way
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.gaps.interval import GapCause, IntervalKind, instant
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.states import GenerationState

TWO = make_key("two", max_connections=2)
OLD, NEW = "track:0#1", "track:0#2"


def streaming(folder: Path, *keys: ApiKey, handover: str = "") -> tuple[SteppedWorld, Connection, Generation]:
    """A connection that streams for a while already; what it was told until then is forgotten."""
    options = f"[supervisor]\nhandover = {handover}\n" if handover else ""
    world = SteppedWorld(folder, *keys, options=options, limits=PoolLimits(connects=20))
    c = world.connection("track:0", "storm")
    old = world.stream(c, seconds_ago=50)
    world.fleet.told.clear()
    return world, c, old


def kind_of_wait(c: Connection) -> WaitKind | None:
    return c.wait.kind if c.wait is not None else None


# ---- the ways

WAYS = [
    pytest.param([TWO], "", Way.SLOT, id="a free slot of the same key comes first"),
    pytest.param([A, B], "", Way.SPARE, id="then a spare key"),
    pytest.param([A], "", Way.OVERLAP, id="then an overlap"),
    pytest.param([A], "serial", Way.SERIAL, id="serial where nothing else is allowed"),
    pytest.param([A, B], "overlap, serial", Way.OVERLAP, id="a spare key that is not allowed is left alone"),
    pytest.param([TWO], "serial", Way.SERIAL, id="and a slot as well"),
    pytest.param([A], "serial, overlap, spare, slot", Way.OVERLAP, id="the order written does not count"),
]


@pytest.mark.parametrize(("keys", "handover", "way"), WAYS)
def test_the_successor_connects_in_the_first_way_that_is_open(
    tmp_path: Path, keys: list[ApiKey], handover: str, way: Way
) -> None:
    world, c, old = streaming(tmp_path, *keys, handover=handover)
    new = world.refresh(c, "flood")
    assert c.handover.way is way
    assert old.streams
    if way is Way.SERIAL:
        assert world.fleet.told == [("fork", NEW), ("close", OLD)], (
            "it connects when the old stream is closed"
        )
        world.ended(old, DisconnectKind.OWN_CLOSE)
        assert c.gaps.standing.cause is GapCause.REFRESH
    assert world.fleet.told[-1] == ("connect", NEW)
    world.connected(new)
    assert c.serving is new
    assert c.successor is None
    assert old in c.leaving
    assert c.gaps.kind is IntervalKind.STREAMING
    assert GapCause.REFRESH not in c.gaps.totals(instant(world.now)).gaps_s, "no time passed without a stream"


def test_a_free_slot_comes_before_a_spare_key(tmp_path: Path) -> None:
    world, c, _old = streaming(tmp_path, TWO)
    world.set_keys(TWO, B)
    world.refresh(c, "flood")
    assert c.handover.way is Way.SLOT


@pytest.mark.parametrize("way", Way)
def test_the_old_generation_leaves_when_the_new_one_streams(tmp_path: Path, way: Way) -> None:
    keys = {Way.SLOT: [TWO], Way.SPARE: [A, B]}.get(way, [A])
    world, c, old = streaming(tmp_path, *keys, handover=way)
    new = world.refresh(c, "flood")
    if way is Way.SERIAL:
        world.ended(old, DisconnectKind.OWN_CLOSE)
    world.connected(new)
    assert (old.state is GenerationState.DRAINING) is (way is Way.SERIAL)
    world.after(1.0)
    reads_on = old.state is GenerationState.STREAMING
    assert reads_on is (way is Way.OVERLAP), "in an overlap the server ends the stream"
    if way is Way.OVERLAP:
        world.disconnected(old, DisconnectKind.SERVER_CLOSE)
        world.step()
    assert old.state is GenerationState.DRAINING
    world.gone(old, 0)
    assert c.generations == (new,)
    assert c.gaps.kind is IntervalKind.STREAMING


def test_the_key_of_the_old_generation_is_free_once_a_spare_took_over(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A, B)
    world.connected(world.refresh(c, "flood"))
    assert c.lease is not None
    assert c.lease.key_id == B.key_id
    world.after(1.0)
    world.disconnected(old, DisconnectKind.OWN_CLOSE)
    world.step()
    assert [lease.key_id for lease in world.pool.leases_held_by(c.name)] == [B.key_id]


def test_only_a_ready_successor_connects(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, TWO)
    world.want(c, "flood")
    world.step()
    assert world.fleet.told == [("fork", NEW)]
    world.after(5.0)
    assert world.fleet.told == [("fork", NEW)]
    assert old.streams
    world.ready(world.successor(c))
    assert world.fleet.told == [("fork", NEW), ("connect", NEW)]


@pytest.mark.parametrize("handover", ["spare", "slot", "slot, spare"])
def test_where_no_allowed_way_is_open_the_old_one_streams_on_and_that_is_shown(
    tmp_path: Path, handover: str
) -> None:
    world, c, old = streaming(tmp_path, A, handover=handover)
    world.refresh(c, "flood")
    world.after(60.0)
    assert old.streams
    assert kind_of_wait(c) is WaitKind.NO_WAY
    assert world.fleet.told == [("fork", NEW)]
    world.set_keys(A, B)
    world.step()
    assert (("connect", NEW) in world.fleet.told) is ("spare" in handover)


def test_without_a_stream_to_protect_the_successor_serves_at_once(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A)
    world.want(c, "flood")
    world.step()
    new = world.successor(c)
    world.outbox_full(old)
    world.ready(new)
    assert c.serving is new
    assert old.state is GenerationState.DRAINING


def test_a_key_that_left_the_file_is_left_for_a_spare_that_is_prepared_first(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A)
    world.set_keys(B)
    world.step()
    assert old.streams
    new = world.successor(c)
    world.ready(new)
    assert old.streams
    world.connected(new)
    assert c.serving is new
    assert c.lease is not None
    assert c.lease.key_id == B.key_id


# ---- when one starts


def test_the_first_refresh_starts_at_once_and_the_next_an_interval_later(tmp_path: Path) -> None:
    world, c, _old = streaming(tmp_path, TWO)
    first = world.refresh(c, "flood")
    world.connected(first)
    world.want(c, "hail")
    world.step()
    assert c.successor is None
    assert kind_of_wait(c) is WaitKind.REFRESH_DUE
    world.after(world.settings.supervisor.refresh_min_interval)
    assert c.successor is not None


def test_a_successor_whose_rules_changed_again_is_dropped_and_the_old_one_streams_on(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A, handover="spare")
    stale = world.refresh(c, "flood")
    world.want(c, "hail")
    world.step()
    assert stale in c.leaving
    assert stale.state is GenerationState.DRAINING
    assert old.streams
    world.after(world.settings.supervisor.refresh_min_interval)
    assert world.successor(c) is not stale


def test_a_successor_is_dropped_when_what_streams_is_wanted_again(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A, handover="spare")
    world.refresh(c, "flood")
    world.want(c, "storm")
    world.step()
    assert c.successor is None
    assert old.streams
    assert c.serving is old


# ---- failures before the new stream

Fail = Callable[[SteppedWorld, Generation], object]

FAILURES = [
    pytest.param(lambda world, new: world.refused(new, 503), id="an HTTP error"),
    pytest.param(lambda world, new: world.ended(new, DisconnectKind.NETWORK), id="a network error"),
    pytest.param(lambda world, new: world.refused(new, 406), id="its rules are refused"),
    pytest.param(lambda world, new: world.refused(new, 401), id="its key is refused"),
    pytest.param(lambda world, new: world.refused(new, 420), id="the rate is limited"),
    pytest.param(lambda world, new: world.gone(new), id="its process ends"),
]


@pytest.mark.parametrize("way", [Way.SLOT, Way.SPARE, Way.OVERLAP])
@pytest.mark.parametrize("fail", FAILURES)
def test_beside_a_stream_no_failure_of_the_successor_costs_it(tmp_path: Path, way: Way, fail: Fail) -> None:
    keys = {Way.SLOT: [TWO], Way.SPARE: [A, B]}.get(way, [A])
    world, c, old = streaming(tmp_path, *keys, handover=way)
    fail(world, world.refresh(c, "flood"))
    assert old.streams
    assert c.serving is old
    assert c.handover.way is None
    assert c.gaps.kind is IntervalKind.STREAMING
    assert ("close", OLD) not in world.fleet.told
    assert ("drain", OLD) not in world.fleet.told


@pytest.mark.parametrize("fail", FAILURES)
def test_in_serial_the_old_generation_connects_again_when_the_successor_fails(
    tmp_path: Path, fail: Fail
) -> None:
    world, c, old = streaming(tmp_path, A, handover="serial")
    new = world.refresh(c, "flood")
    world.ended(old, DisconnectKind.OWN_CLOSE)
    assert world.fleet.told[-1] == ("connect", NEW)
    fail(world, new)
    assert c.serving is old
    assert c.handover.old_returns
    world.after(400.0)
    assert ("connect", OLD) in world.fleet.told
    assert c.wanted is not None
    assert old.birth.rules != c.wanted.rules, "it has its own"
    world.connected(old)
    assert old.streams
    assert not c.handover.old_returns
    assert c.gaps.kind is IntervalKind.STREAMING


def test_after_a_serial_failure_the_old_stream_is_not_closed_again_at_once(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A, handover="serial")
    new = world.refresh(c, "flood")
    world.ended(old, DisconnectKind.OWN_CLOSE)
    world.ended(new, DisconnectKind.NETWORK)
    world.after(1.0)
    world.connected(old)
    assert old.streams
    assert kind_of_wait(c) is WaitKind.REFRESH_DUE
    world.after(world.settings.supervisor.refresh_min_interval)
    assert world.fleet.told.count(("close", OLD)) == 2


def test_an_overlap_that_is_refused_is_tried_once_more_and_then_serial(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A)
    new = world.refresh(c, "flood")
    assert c.handover.way is Way.OVERLAP
    world.refused(new, 429)
    assert old.streams
    assert kind_of_wait(c) is WaitKind.RATE_LIMITED
    world.after(400.0)
    assert c.handover.way is Way.OVERLAP
    world.refused(new, 429)
    assert old.streams
    world.after(2_000.0)
    assert c.handover.way is Way.SERIAL
    assert world.fleet.told[-1] == ("close", OLD)


def test_an_old_stream_that_an_overlap_closed_for_nothing_is_the_next_to_connect(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A)
    new = world.refresh(c, "flood")
    world.ended(old, DisconnectKind.SERVER_CLOSE)
    assert c.handover.successor_first
    assert c.gaps.kind is IntervalKind.STREAMING, "the successor will show whether there is a gap"
    world.now += 0.5
    world.ended(new, DisconnectKind.NETWORK)
    assert c.gaps.totals(instant(world.now)).gaps_s[GapCause.SERVER_CLOSE] == pytest.approx(0.5)
    world.after(30.0)
    assert world.fleet.told[-1] == ("connect", OLD)


def test_a_new_secret_that_is_refused_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    """In `serial` the old generation returns with the secret that worked; then the key is suspect."""
    world, c, old = streaming(tmp_path, A, handover="serial")
    was: Connect | None = old.connect
    changed = make_key("a", access_token_secret="s3cret-new")
    world.set_keys(changed)
    world.step()
    new = world.successor(c)
    world.ready(new)
    world.ended(old, DisconnectKind.OWN_CLOSE)
    world.refused(new, 401)
    assert c.handover.held_back is not None
    assert world.pool.state(A.key_id, world.now) is not KeyState.QUARANTINED
    world.after(1.0)
    assert world.fleet.told[-1] == ("connect", OLD)
    assert old.connect == was
    world.connected(old)
    assert c.handover.held_back is None
    assert world.pool.state(A.key_id, world.now) is KeyState.SUSPECT
    assert old.streams


def test_a_secret_that_is_corrected_while_another_is_refused_is_tried_too(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, A, handover="serial")
    world.set_keys(make_key("a", access_token_secret="s3cret-wrong"))
    world.step()
    new = world.successor(c)
    world.ready(new)
    world.ended(old, DisconnectKind.OWN_CLOSE)
    world.set_keys(make_key("a", access_token_secret="s3cret-right"))
    world.refused(new, 401)
    assert c.handover.held_back is None
    world.after(60.0)
    assert world.pool.state(A.key_id, world.now) is KeyState.OK
    asked = [g for g in world.fleet.generations if g.connect and g.state is GenerationState.CONNECTING]
    assert [g.connect.access_token_secret for g in asked if g.connect] == ["s3cret-right"]


def test_a_refused_set_of_rules_is_not_tried_again_until_it_changes_or_time_passed(tmp_path: Path) -> None:
    world, c, old = streaming(tmp_path, TWO)
    world.refused(world.refresh(c, "flood"), 413)
    world.after(60.0)
    assert c.successor is None
    assert old.streams
    world.want(c, "hail")
    world.step()
    assert c.successor is not None
