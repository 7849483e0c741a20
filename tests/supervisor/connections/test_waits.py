"""Each way to wait has its text, and books the gap's true cause while nothing streams."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stepping import A, B, SteppedWorld
from support.waiting_ways import WAYS_TO_WAIT, Prepare

from traptor.common.messages import DisconnectKind
from traptor.supervisor.connections.waits import MEANINGS, OF_HINDRANCE, WaitKind
from traptor.supervisor.gaps.interval import GapCause, IntervalKind
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import Hindrance

# The first two book nothing. While the others last a generation streams, or the connection has no key.
NEVER_IN_A_GAP = {
    WaitKind.STARTING,
    WaitKind.CONNECTING,
    WaitKind.REFRESH_DUE,
    WaitKind.OTHER_FIRST,
    WaitKind.NO_WAY,
    WaitKind.KEY_GONE,
    WaitKind.KEY_UNUSABLE,
    WaitKind.KEY_SUSPECT,
    WaitKind.KEY_QUARANTINED,
    WaitKind.ACTS_SOON,
    WaitKind.EFFECT,
}


@pytest.mark.parametrize(("prepare", "kind", "cause"), WAYS_TO_WAIT)
def test_a_gap_in_which_a_connection_waits_has_the_cause_of_the_wait(
    tmp_path: Path, prepare: Prepare, kind: WaitKind, cause: GapCause
) -> None:
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm")
    prepare(world, c)
    assert c.wait is not None
    assert c.wait.kind is kind
    assert c.wait.text
    assert c.gaps.standing.cause is cause


def test_every_way_to_wait_is_tried_here_and_has_an_entry() -> None:
    assert {kind for _, kind, _ in WAYS_TO_WAIT} | NEVER_IN_A_GAP == set(WaitKind)
    assert MEANINGS.keys() == set(WaitKind)
    assert all(meaning.todo for meaning in MEANINGS.values())
    assert OF_HINDRANCE.keys() == set(Hindrance)


def test_the_cause_of_a_refusal_lasts_while_the_key_is_quarantined_and_no_longer(tmp_path: Path) -> None:
    """Another connection holds the only good key."""
    world = SteppedWorld(tmp_path, B)
    world.stream(world.connection("follow:0", "1", "2"))
    world.set_keys(A, B)
    c = world.connection("track:0", "storm")
    world.refused(world.start(c), 403)
    assert c.gaps.standing.cause is GapCause.KEY_REFUSED
    assert c.wait is not None
    assert c.wait.key == "a"
    world.set_keys(B)
    world.step()
    assert c.gaps.standing.cause is GapCause.NO_KEY


def test_the_rest_after_a_stall_is_part_of_the_stall(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm")
    world.ended(world.stream(c, seconds_ago=1), DisconnectKind.STALL)
    assert c.wait is not None
    assert c.wait.kind is WaitKind.NETWORK
    assert c.gaps.standing.cause is GapCause.STALL


def test_one_quarantined_key_is_not_why_a_connection_never_had_one(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A, B)
    world.pool.records.failed(A.key_id, world.now, Failure(FailureKind.UNAUTHORIZED))
    world.stream(world.connection("follow:0", "1", "2"))
    c = world.connection("track:0", "storm")
    world.step()
    assert c.gaps.standing.cause is GapCause.NO_KEY


def test_a_refresh_that_waits_is_no_gap(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A, limits=PoolLimits(connects=3))
    c = world.connection("track:0", "storm")
    world.stream(c, seconds_ago=50)
    world.want(c, "storm", "flood")
    world.step()
    assert c.successor is not None
    world.ready(c.successor)
    assert c.wait is not None
    assert c.wait.kind is WaitKind.BUDGET
    assert c.wait.text.startswith("refresh waits: 1 of 3 connects")
    assert not world.pool.may_connect(A.key_id, Purpose.REFRESH, world.now).allowed
    assert c.gaps.kind is IntervalKind.STREAMING


def test_nobody_is_told_to_add_a_key_for_a_connection_that_no_other_key_can_serve() -> None:
    advised = {kind: meaning.advice(is_of_app=True) for kind, meaning in MEANINGS.items()}
    assert [kind for kind, todo in advised.items() if "spare" in todo or "add a key" in todo] == []
    assert MEANINGS[WaitKind.BUDGET].advice(is_of_app=False) == "wait, or add a spare key"
