"""With v2 each key has one connection, which carries every group that its app serves, whatever changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.paperapp import PaperApps
from support.stepping import PlannedWorld

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.kinds.groupfilter import GroupFilter
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.planning.byapps import AppPlanner
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.connections.planning.roll import Roll
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.rules.groups import Groups


def app(name: str, *groups: str) -> ApiKey:
    return ApiKey(name, bearer_token=f"token-of-{name}", groups=GroupFilter.parse(groups) if groups else None)


class World(PlannedWorld):
    def make_planner(self) -> Planner:
        self.groups = Groups(self.context)
        self.apps = self.context.apps = PaperApps()
        return AppPlanner(self.context, self.groups, Roll(self.context, GapTracker))

    def use(self, *keys: ApiKey) -> None:
        self.set_keys(*keys)
        self.context.settings = self.settings = replace(self.context.settings, keys=keys)
        self.planner.invalidate()
        self.agenda.look_at_all()
        self.step()

    def rules_of(self, name: str) -> list[str]:
        c = self.connections[name]
        return [rule.key for rule in c.wanted.rules] if c.wanted is not None else []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, keys=0)


def test_one_app_carries_all_groups(world: World) -> None:
    world.set_rules("follow:0", range(2))
    world.set_rules("track:0", range(1))
    world.groups.are_known = True
    world.use(app("first"))
    assert world.connections.keys() == {"v2:first"}
    assert len(world.rules_of("v2:first")) == 3
    [groups] = world.apps.served.values()
    assert groups == ["follow:0", "track:0"]


def test_a_change_of_rules_makes_no_other_spec(world: World) -> None:
    world.set_rules("track:0", range(1))
    world.use(app("first"))
    before = _spec(world.connections["v2:first"])
    world.set_rules("track:0", range(2))
    world.set_rules("track:1", range(2))
    world.step()
    assert len(world.rules_of("v2:first")) == 4
    assert _spec(world.connections["v2:first"]) == before


def test_each_app_carries_the_groups_that_its_key_claims(world: World) -> None:
    world.set_rules("follow:0", range(1))
    world.set_rules("track:3", range(2))
    world.use(app("a", "follow:*"), app("b", "track:3"))
    assert world.rules_of("v2:a") == ["traptor-follow:0:0"]
    assert len(world.rules_of("v2:b")) == 2


def test_an_app_serves_nothing_before_redis_was_read(world: World) -> None:
    world.use(app("first"))
    assert world.apps.served == {}, "else it would take all its filters for superfluous"


def test_a_key_that_is_gone_leaves_its_connection_unplanned(world: World) -> None:
    world.set_rules("track:0", range(1))
    world.use(app("a"))
    world.use(app("b"))
    wanted = {name: c.wanted is not None for name, c in world.connections.items()}
    assert wanted in ({"v2:a": False, "v2:b": True}, {"v2:b": True})


def _spec(c: Connection) -> object:
    assert c.wanted is not None
    return c.wanted.spec


@pytest.mark.parametrize(("name", "group"), [("v2:gone", None), ("track:0.2", "track:0")])
def test_what_either_api_left_behind_has_a_connection_to_be_drained_by(
    world: World, name: str, group: str | None
) -> None:
    world.use(app("first"))
    c = world.planner.roll.connection(name, world.now)
    assert c is not None
    assert (c.name, None if c.group is None else str(c.group), c.is_planned) == (name, group, False)
    assert world.planner.roll.connection("v2:not a name", world.now) is None


# ---- two connections of one app

NAMES = ["v2:first", "v2:first.2"]


def two(name: str = "first") -> ApiKey:
    return replace(app(name), max_connections=2)


def both(world: World) -> list[Connection]:
    return [world.connections[name] for name in NAMES]


def streams(world: World, *connections: Connection) -> None:
    """Have these connections stream; their apps are known."""
    for c in connections:
        g = c.serving
        assert g is not None
        world.ready(g)
        world.step()
        world.connected(g)
        world.step()


def test_an_app_that_may_have_two_connections_has_both_with_all_rules(world: World) -> None:
    world.set_rules("track:0", range(2))
    world.groups.are_known = True
    world.use(two())
    assert sorted(world.connections) == NAMES
    first, second = both(world)
    assert world.rules_of(first.name) == world.rules_of(second.name)
    assert (first.other, second.other) == (second, first)
    assert [g.birth.pair for c in both(world) for g in c.generations] == ["v2:first", "v2:first"]
    assert [g.birth.stands_for for c in both(world) for g in c.generations] == ["v2:first", "v2:first"]
    assert len(world.apps.served) == 1
    assert all(world.pool.leases_held_by(name) for name in NAMES)


def test_a_second_connection_begins_when_the_first_gives_way_to_copies(world: World) -> None:
    world.set_rules("track:0", range(2))
    world.groups.are_known = True
    world.use(app("first"))
    world.use(two())
    first, second = both(world)
    assert first.serving is not None
    assert not first.serving.birth.is_one_of_two
    assert second.serving is None
    assert second.wait is not None
    assert second.wait.kind is WaitKind.OTHER_FIRST
    world.ready(first.serving)
    for _ in range(3):
        world.step()
        if first.successor is not None:
            world.ready(first.successor)
    world.settle()
    assert first.serving.birth.is_one_of_two
    world.end(first.leaving[0], 0)
    world.settle()
    assert second.serving is not None


def test_an_app_that_may_have_one_connection_again_ends_the_second(world: World) -> None:
    world.set_rules("track:0", range(2))
    world.groups.are_known = True
    world.use(two())
    world.use(app("first"))
    first, second = both(world)
    assert (first.other, second.other, second.wanted) == (None, None, None)
    assert second.serving is None
    for g in second.generations:
        world.end(g, 0)
    world.step()
    assert world.connections.keys() == {"v2:first"}
