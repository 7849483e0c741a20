"""Orders note what is wanted, and the next step carries it out."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stepping import PlannedWorld

from traptor.common.messages import DisconnectKind
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.orders.connections import ConnectionOrders
from traptor.supervisor.orders.refused import NotNowError, UnknownNameError
from traptor.supervisor.orders.sampling import Sampling
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.states import ConnectionState


class World(PlannedWorld):
    """track:0 and track:1 stream; there is a spare key."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, keys=3, twitter="connects = 1000")
        self.context.pacer.connect_rate = 1e18
        self.orders = ConnectionOrders(self.context, self.planner, lambda name: self.agenda.look_at([name]))
        for group in ("track:0", "track:1"):
            self.set_rules(group, range(2))
        self.settle()
        self.stream_all()

    def stream_all(self) -> None:
        for g in list(self.fleet.generations):
            if not g.streams:
                self.ready(g)
                self.settle()
                self.connected(g)
                self.settle()

    def serving(self, name: str) -> Generation:
        g = self.connections[name].serving
        assert g is not None
        return g


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def state(world: World, c: Connection) -> ConnectionState:
    return c.state(world.now)


def test_each_restart_makes_one_successor_of_that_connection_alone(world: World) -> None:
    for _ in range(2):
        old, others = world.serving("track:0"), world.serving("track:1")
        answer = world.orders.restart("track:0")
        assert (answer["order"], answer["state"], answer["pid"]) == ("restart", "UP", old.pid)
        world.settle()
        c = world.connections["track:0"]
        assert c.successor is not None
        assert world.connections["track:1"].successor is None
        world.stream_all()
        assert c.serving is not old
        assert world.serving("track:1") is others
        world.now += 20  # beyond refresh_min_interval


def test_a_hint_after_a_restart_still_refreshes(world: World) -> None:
    world.orders.restart("track:0")
    world.settle()
    world.stream_all()
    world.now += 20
    world.set_rules("track:0", range(2))  # hinted, and unchanged
    world.settle()
    assert world.connections["track:0"].successor is not None


def test_a_restart_forgets_what_kept_it_from_its_stream(world: World) -> None:
    c, g = world.connections["track:0"], world.serving("track:0")
    for _ in range(4):
        world.end(world.serving("track:0"))
        world.settle()
        if c.serving is None:
            break
    assert state(world, c) is ConnectionState.BACKOFF
    world.orders.restart("track:0")
    world.settle()
    assert world.serving("track:0") is not g


def test_a_stop_frees_the_key_and_a_start_takes_one(world: World) -> None:
    c, g = world.connections["track:0"], world.serving("track:0")
    assert world.orders.stop("track:0")["state"] == "STOPPED"
    world.settle()
    assert ("drain", g.name) in world.fleet.told
    world.disconnected(g, DisconnectKind.OWN_CLOSE)
    world.end(g, 0)
    world.settle()
    assert state(world, c) is ConnectionState.STOPPED
    assert c.gaps.standing.cause is GapCause.OPERATOR_STOP
    assert not world.pool.leases_held_by("track:0")
    world.set_rules("track:0", range(3))
    world.settle()
    assert c.serving is None
    world.orders.start("track:0")
    world.settle()
    assert c.gaps.standing.cause is GapCause.START
    world.stream_all()
    assert c.streams
    assert world.serving("track:0").birth.keys == frozenset(f"traptor-track:0:{n}" for n in range(3))


def test_who_names_a_group_of_an_app_is_told_its_connection(world: World) -> None:
    c = world.connections.pop("track:0")
    c.name, c.group = "v2:first", None
    world.connections[c.name] = c
    for deed in (world.orders.restart, world.orders.stop, world.orders.start, Sampling(world.context).check):
        with pytest.raises(UnknownNameError, match=r"^track:0 is a group of v2:first; give that name$"):
            deed("track:0")
        with pytest.raises(UnknownNameError, match="no connection 'track:0:1'"):
            deed("track:0:1")


def test_orders_that_make_no_sense_are_refused_with_a_sentence(world: World) -> None:
    for deed in (world.orders.restart, world.orders.stop, world.orders.start):
        with pytest.raises(UnknownNameError, match="no connection 'track:9'"):
            deed("track:9")
    with pytest.raises(NotNowError, match="is not stopped"):
        world.orders.start("track:0")
    world.orders.stop("track:0")
    with pytest.raises(NotNowError, match="is stopped"):
        world.orders.restart("track:0")
