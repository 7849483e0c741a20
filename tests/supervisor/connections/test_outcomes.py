"""What the ends of streams and workers mean for connection, key and gap, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.stepping import A, B, SteppedWorld

from traptor.common.errors import ProtocolError
from traptor.common.messages import (
    Connected,
    Disconnected,
    DisconnectKind,
    Drained,
    OutboxFull,
    OutboxTrouble,
    Ready,
)
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.gaps.interval import GapCause, IntervalKind
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.workers.generation import Ending
from traptor.supervisor.workers.states import ConnectionState, GenerationState

Happen = Callable[[SteppedWorld, Connection], object]


def world_of(folder: Path) -> tuple[SteppedWorld, Connection]:
    world = SteppedWorld(folder, A)
    return world, world.connection("track:0", "storm")


def put_down(world: SteppedWorld, c: Connection, ending: Ending) -> None:
    g = world.stream(c, seconds_ago=40)
    g.put_down(ending, world.now + 1.0)
    world.gone(g)


def ended(kind: DisconnectKind) -> Happen:
    return lambda world, c: world.ended(world.stream(c, seconds_ago=40), kind)


def refused(status: int) -> Happen:
    return lambda world, c: world.refused(world.start(c), status)


def full(world: SteppedWorld, c: Connection) -> None:
    """A worker closes its stream first."""
    g, now = world.stream(c, seconds_ago=40), world.now
    world.say(g, Disconnected(kind=DisconnectKind.OUTBOX_FULL, at=now, last_byte_at=now, streamed=True))
    world.outbox_full(g)


def stops(world: SteppedWorld, c: Connection) -> None:
    g = world.stream(c, seconds_ago=40)
    world.context.stopping = True
    world.step()
    world.disconnected(g, DisconnectKind.OWN_CLOSE)


GAPS: list[tuple[Happen, GapCause]] = [
    (ended(DisconnectKind.SERVER_CLOSE), GapCause.SERVER_CLOSE),
    (ended(DisconnectKind.NETWORK), GapCause.NETWORK),
    (ended(DisconnectKind.STALL), GapCause.STALL),
    (ended(DisconnectKind.WORKER), GapCause.CRASH),
    (ended(DisconnectKind.OUTBOX_FULL), GapCause.OUTBOX_FULL),
    (full, GapCause.OUTBOX_FULL),
    (refused(404), GapCause.RULES_REFUSED),
    (refused(413), GapCause.RULES_REFUSED),
    (refused(401), GapCause.KEY_REFUSED),
    (refused(403), GapCause.KEY_REFUSED),
    (refused(420), GapCause.RATE_LIMITED),
    (refused(429), GapCause.RATE_LIMITED),
    (refused(503), GapCause.NETWORK),
    (lambda world, c: world.gone(world.stream(c, seconds_ago=40)), GapCause.CRASH),
    (lambda world, c: put_down(world, c, Ending.HUNG), GapCause.HUNG),
    (lambda world, c: put_down(world, c, Ending.STOPPED), GapCause.HUNG),
    (lambda world, c: put_down(world, c, Ending.MEMORY), GapCause.HUNG),
    (stops, GapCause.SHUTDOWN),
]


def cause_of_status(status: int) -> GapCause:
    """What docs/operations.md says of a response other than 200."""
    match status:
        case 401 | 403:
            return GapCause.KEY_REFUSED
        case 420 | 429:
            return GapCause.RATE_LIMITED
        case 407 | 408 | 425:  # of a proxy, or of the way to the server
            return GapCause.NETWORK
    return GapCause.RULES_REFUSED if 400 <= status < 500 else GapCause.NETWORK


def test_every_status_of_a_refused_stream_has_its_cause_which_stays_while_the_connection_waits(
    tmp_path: Path,
) -> None:
    booked, waiting = {}, {}
    for status in range(201, 600):
        world, c = world_of(tmp_path)
        world.disconnected(world.start(c), DisconnectKind.HTTP, status)
        booked[status] = c.gaps.standing.cause
        world.step()
        waiting[status] = c.gaps.standing.cause
    assert booked == waiting == {status: cause_of_status(status) for status in booked}


@pytest.mark.parametrize(("happen", "cause"), GAPS)
def test_a_gap_has_the_cause_of_the_end(tmp_path: Path, happen: Happen, cause: GapCause) -> None:
    world, c = world_of(tmp_path)
    happen(world, c)
    assert c.gaps.standing.cause is cause
    assert c.gaps.kind is IntervalKind.GAP


STATES: list[tuple[Happen, ConnectionState]] = [
    (lambda world, c: world.want(c), ConnectionState.QUIET),
    (lambda world, c: world.set_keys(), ConnectionState.WAITING_FOR_KEY),
    (lambda world, c: world.step(), ConnectionState.UP),
    (lambda world, c: world.stream(c), ConnectionState.UP),
    (refused(406), ConnectionState.REFUSED),
    (refused(403), ConnectionState.WAITING_FOR_KEY),
    (refused(503), ConnectionState.UP),
    (full, ConnectionState.UP),
]


@pytest.mark.parametrize(("happen", "state"), STATES)
def test_the_state_of_a_connection_says_why_it_has_a_worker_or_none(
    tmp_path: Path, happen: Happen, state: ConnectionState
) -> None:
    world, c = world_of(tmp_path)
    happen(world, c)
    world.step()
    assert c.state(world.now) is state


def test_a_connection_whose_worker_crashes_again_is_in_backoff_and_goes_on_by_itself(tmp_path: Path) -> None:
    world, c = world_of(tmp_path)
    for _ in range(2):
        world.step()
        world.gone(world.serving(c))
    assert c.state(world.now) is ConnectionState.BACKOFF
    assert c.restarts[Ending.CRASH] == 2
    world.after(120.0)
    assert c.state(world.now) is ConnectionState.UP
    assert c.serving is not None


def test_refused_rules_free_the_key_for_others_and_are_tried_again_later(tmp_path: Path) -> None:
    world, c = world_of(tmp_path)
    world.want(c, "storm", "flood")
    other = world.connection("follow:0", "1")
    world.refused(world.start(c), 406)
    assert c.lease is None
    world.step()
    assert other.lease is not None
    world.set_keys(A, B)
    world.after(world.settings.twitter.refused_retry)
    assert c.lease is not None
    assert c.state(world.now) is ConnectionState.UP


def test_changed_rules_end_a_refusal_at_once(tmp_path: Path) -> None:
    world, c = world_of(tmp_path)
    world.refused(world.start(c), 406)
    world.gone(c.leaving[0], 0)
    assert c.serving is None
    world.want(c, "flood")
    world.step()
    assert c.serving is not None
    assert c.state(world.now) is ConnectionState.UP


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_refused_on_a_fresh_connect_is_quarantined_and_the_spare_serves(
    tmp_path: Path, status: int
) -> None:
    world = SteppedWorld(tmp_path, A, B)
    c = world.connection("track:0", "storm")
    g = world.start(c)
    world.refused(g, status)
    assert world.pool.state(A.key_id, world.now) is KeyState.QUARANTINED
    assert c.lease is not None
    assert c.lease.key_id == B.key_id
    assert world.fleet.told[-1] == ("connect", g.name)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_a_former_secret_says_nothing_of_the_new_one(tmp_path: Path, status: int) -> None:
    """The operator corrects the key while the server is asked with it."""
    world, c = world_of(tmp_path)
    g = world.start(c)
    world.set_keys(replace(A, consumer_secret="corrected"))
    world.refused(g, status)
    assert world.pool.state(A.key_id, world.now) is KeyState.OK
    assert world.fleet.told[-2:] == [("connect", g.name)] * 2
    assert g.connect is not None
    assert g.connect.consumer_secret == "corrected"
    world.refused(g, status)
    assert world.pool.state(A.key_id, world.now) is KeyState.QUARANTINED, "it was asked with this one"


def test_a_refusal_of_a_key_that_is_removed_meanwhile_is_no_error(tmp_path: Path) -> None:
    world, c = world_of(tmp_path)
    g = world.start(c)
    world.set_keys(B)
    world.step()
    world.refused(g, 401)
    assert c.lease is not None
    assert c.lease.key_id == B.key_id


def test_what_a_drained_worker_said_too_late_changes_nothing(tmp_path: Path) -> None:
    world, c = world_of(tmp_path)
    g = world.start(c)
    world.want(c)
    world.step()
    assert g.state is GenerationState.DRAINING
    for message in (Ready(), Connected(world.now), OutboxFull(OutboxTrouble.DISK), Drained(3)):
        world.say(g, message)
    assert g.state is GenerationState.DRAINING
    assert c.gaps.kind is IntervalKind.UNPLANNED


def test_a_worker_that_says_what_it_may_not_is_at_fault_ended_and_replaced(tmp_path: Path) -> None:
    world, c = world_of(tmp_path)
    g = world.start(c)
    with pytest.raises(ProtocolError):
        world.say(g, Ready())
    world.outcomes.on_fault(g, "ready, in CONNECTING")
    world.step()
    assert world.fleet.told[-1] == ("kill", g.name)
    world.gone(g)
    assert c.restarts[Ending.FAULT] == 1
    assert c.serving is not g


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda world, c: world.gone(world.stream(c, seconds_ago=40), -9), "its worker ended: SIGKILL"),
        (lambda world, c: put_down(world, c, Ending.HUNG), "its worker ended: hung"),
    ],
)
def test_the_last_error_says_once_how_a_worker_ended(tmp_path: Path, end: Happen, said: str) -> None:
    world, c = world_of(tmp_path)
    end(world, c)
    assert c.last_error is not None
    assert c.last_error.text == said
