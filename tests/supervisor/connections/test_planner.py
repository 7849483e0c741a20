"""Who gets a key when keys are short, and what the connections of a group should carry."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stepping import PlannedWorld

from traptor.supervisor.connections.planning.demand import KeyDemand, order_demands

demands = st.lists(
    st.builds(
        KeyDemand,
        connection=st.text("abc:.", min_size=1, max_size=4),
        rules=st.integers(0, 9),
        streaming_since=st.none() | st.floats(0, 9),
    ),
    unique_by=lambda demand: demand.connection,
)


def names(*given_demands: KeyDemand) -> list[str]:
    return [demand.connection for demand in order_demands(given_demands)]


def test_who_streams_comes_before_who_has_more_rules() -> None:
    assert names(KeyDemand("track:0", 400), KeyDemand("follow:0", 1, streaming_since=5.0)) == [
        "follow:0",
        "track:0",
    ]


def test_who_streams_longer_comes_first() -> None:
    assert names(KeyDemand("a", 9, 7.0), KeyDemand("b", 1, 5.0)) == ["b", "a"]


def test_more_rules_come_first_and_then_the_name() -> None:
    assert names(KeyDemand("c", 5), KeyDemand("b", 5), KeyDemand("a", 1)) == ["b", "c", "a"]


@given(demands, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_of_asking(asked: list[KeyDemand], rng) -> None:
    shuffled = list(asked)
    rng.shuffle(shuffled)
    assert order_demands(shuffled) == order_demands(asked)


@given(demands, st.integers(0, 10))
def test_more_demands_never_take_the_key_of_one_that_streams(asked: list[KeyDemand], keys: int) -> None:
    streaming = [demand for demand in asked if demand.streaming_since is not None][:keys]
    waiting = [demand for demand in asked if demand.streaming_since is None]
    assert set(streaming) <= set(order_demands([*waiting, *streaming])[:keys])


# ---- the plan, over workers on paper


@pytest.fixture
def world(tmp_path: Path) -> PlannedWorld:
    """A group of two parts, whose limit is five values; both stream."""
    world = PlannedWorld(tmp_path, keys=6, twitter="follow_limit = 5\ntrack_limit = 5")
    world.set_rules("track:0", range(6))
    world.settle()
    for c in list(world.connections.values()):
        assert c.serving is not None
        world.ready(c.serving)
        world.now += 1.0
        world.settle()
        world.connected(c.serving)
    world.settle()
    return world


def wanted_tickets(world: PlannedWorld) -> list[int]:
    return [c.wanted.spec.ticket for _, c in sorted(world.connections.items()) if c.wanted is not None]


def test_a_hint_without_a_change_asks_for_all_parts_anew(world: PlannedWorld) -> None:
    before = wanted_tickets(world)
    world.now += 60.0
    world.set_rules("track:0", range(6))
    world.settle()
    assert [ticket - was for ticket, was in zip(wanted_tickets(world), before, strict=True)] == [1, 1]
    assert all(c.successor is not None for c in world.connections.values())


def test_a_hint_soon_after_its_change_was_taken_asks_for_nothing_more(world: PlannedWorld) -> None:
    before = wanted_tickets(world)
    world.set_rules("track:0", range(6))
    world.settle()
    assert wanted_tickets(world) == before


def test_a_changed_rule_asks_for_its_part_alone(world: PlannedWorld) -> None:
    before = wanted_tickets(world)
    world.now += 60.0
    world.set_rules("track:0", range(7))
    world.settle()
    assert sorted(ticket - was for ticket, was in zip(wanted_tickets(world), before, strict=True)) == [0, 1]


def test_changed_settings_have_every_group_planned_anew(world: PlannedWorld) -> None:
    specs = [c.wanted and c.wanted.spec.settings for c in world.connections.values()]
    logging = world.settings.logging.model_copy(update={"level": "DEBUG"})
    world.context.settings = replace(world.settings, logging=logging)
    world.planner.plan(world.now)
    assert [c.wanted and c.wanted.spec.settings for c in world.connections.values()] == specs
    world.planner.invalidate()
    world.planner.plan(world.now)
    assert not set(specs) & {c.wanted and c.wanted.spec.settings for c in world.connections.values()}


def test_a_group_that_went_and_comes_again_is_planned_from_nothing(world: PlannedWorld) -> None:
    world.now += 60.0
    world.set_rules("track:0", range(0))
    world.settle()
    assert all(c.wanted is None for c in world.connections.values())
    assert world.groups.all() == ()
    world.set_rules("track:0", range(6))
    world.settle()
    assert [len(c.wanted.rules) for _, c in sorted(world.connections.items()) if c.wanted] == [5, 1]
