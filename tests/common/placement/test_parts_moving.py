"""Rules move between parts that stream, with every part refreshed at any time, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from traptor.common.placement.parts import Assignment, Share, assign, hold
from traptor.common.rules.rule import GroupId, Rule

GROUP = GroupId.parse("track:0")
KEYS = [f"k{n}" for n in range(10)]
VALUES = [f"v{n}" for n in range(14)]
Values = tuple[str, ...]
Carried = dict[int, dict[str, Values]]


class World:
    """Holds what a master holds: the rules, the assignment, what streams and what is being started."""

    def __init__(self, rules: dict[str, Values], limit: int) -> None:
        self.rules = rules
        self.limit = limit
        self.target = Assignment(limit)
        self.streaming: Carried = {}
        self.starting: Carried = {}
        self.must_be_served: set[str] = set()
        self.look()

    def look(self) -> None:
        rules = [Rule(key, key, GROUP, values, b"{}") for key, values in sorted(self.rules.items())]
        parts = self.streaming.keys() | self.starting.keys()
        carried = {
            part: self.streaming.get(part, {}).keys() | self.starting.get(part, {}).keys() for part in parts
        }
        self.target = assign(rules, self.limit, self.target, carried)
        self.check()

    def change_rules(self, changed: dict[str, Values], gone: set[str]) -> None:
        self.rules = {key: values for key, values in self.rules.items() if key not in gone} | changed
        self.must_be_served -= gone
        self.look()

    def change_limit(self, limit: int) -> None:
        self.limit = limit
        self.look()

    def wanted(self) -> dict[int, Share]:
        return hold(
            self.target,
            {part: now.keys() for part, now in self.streaming.items()},
            {part: new.keys() for part, new in self.starting.items()},
        )

    def to_refresh(self) -> list[int]:
        """Parts that are not held and neither stream nor start what they should."""
        wanted = {part: w for part, w in self.wanted().items() if not w.held_for}
        return [
            part
            for part, w in wanted.items()
            if self.starting.get(part, self.streaming.get(part)) != {key: self.rules[key] for key in w.keys}
        ]

    def fork(self, part: int) -> None:
        keys = self.wanted()[part].keys
        assert len({value for key in keys for value in self.rules[key]}) <= self.limit
        self.starting[part] = {key: self.rules[key] for key in keys}
        self.check()

    def take_over(self, part: int) -> None:
        self.streaming[part] = self.starting.pop(part)
        self.must_be_served |= self.streaming[part].keys() & self.rules.keys()
        self.check()

    def fail_to_start(self, part: int) -> None:
        del self.starting[part]
        self.check()

    def die(self, part: int) -> None:
        del self.streaming[part]
        # What is left over on a part whose next generation is on its way without it was not served to stay.
        lasting = (now.keys() & self.starting.get(part, now).keys() for part, now in self.streaming.items())
        self.must_be_served &= {key for keys in lasting for key in keys}

    def drain_unwanted(self) -> None:
        wanted = self.wanted()
        for carried in (self.streaming, self.starting):
            for part in [part for part in carried if part not in wanted]:
                del carried[part]
        self.check()

    def check(self) -> None:
        """No rule is lost, none doubled, no part is above the limit, and what was served is served."""
        assert self.target.parts.keys() == self.rules.keys()
        assert sorted(key for keys in self.target.members.values() for key in keys) == sorted(self.rules)
        for keys in self.target.members.values():
            assert len({value for key in keys for value in self.rules[key]}) <= self.limit
        assert self.must_be_served <= {key for now in self.streaming.values() for key in now}

    def check_the_way_is_free(self, choose: Callable[[list[int]], int]) -> None:
        """Refreshing one part after the other leads to the target, where everything stays as it is."""
        for _ in range(6):
            before = self.target
            self.settle(choose)
            self.look()
            if before is self.target:
                break
        assert before is self.target
        assert {part: now.keys() for part, now in self.streaming.items()} == self.target.members

    def settle(self, choose: Callable[[list[int]], int]) -> None:
        for _ in range(60):
            for part in sorted(self.starting):
                self.take_over(part)
            self.drain_unwanted()
            parts = self.to_refresh()
            if not parts:
                break
            self.fork(choose(parts))
        assert not self.to_refresh()
        assert not any(wanted.held_for for wanted in self.wanted().values())


some_values = st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique=True).map(tuple)


class MovingParts(RuleBasedStateMachine):
    """The world as hypothesis drives it: failures come as the shortest story."""

    @initialize(rules=st.dictionaries(st.sampled_from(KEYS), some_values), limit=st.integers(3, 5))
    def begin(self, rules: dict[str, Values], limit: int) -> None:
        self.world = World(rules, limit)

    @rule(
        changed=st.dictionaries(st.sampled_from(KEYS), some_values, max_size=4),
        gone=st.sets(st.sampled_from(KEYS), max_size=4),
    )
    def rules_change(self, changed: dict[str, Values], gone: set[str]) -> None:
        self.world.change_rules(changed, gone)

    @rule(limit=st.integers(3, 5))
    def limit_changes(self, limit: int) -> None:
        self.world.change_limit(limit)

    @precondition(lambda self: self.world.to_refresh())
    @rule(data=st.data())
    def a_generation_is_forked(self, data: st.DataObject) -> None:
        self.world.fork(data.draw(st.sampled_from(self.world.to_refresh())))

    @precondition(lambda self: self.world.starting)
    @rule(data=st.data(), succeeds=st.booleans())
    def a_start_ends(self, data: st.DataObject, succeeds: bool) -> None:
        part = data.draw(st.sampled_from(sorted(self.world.starting)))
        (self.world.take_over if succeeds else self.world.fail_to_start)(part)

    @precondition(lambda self: self.world.streaming)
    @rule(data=st.data())
    def a_streaming_generation_dies(self, data: st.DataObject) -> None:
        self.world.die(data.draw(st.sampled_from(sorted(self.world.streaming))))

    @rule()
    def unwanted_parts_are_drained(self) -> None:
        self.world.drain_unwanted()

    @invariant()
    def promises(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.check_the_way_is_free(max)


MovingParts.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMovingParts = MovingParts.TestCase


def some_rules(chance: random.Random, count: int) -> dict[str, Values]:
    keys = chance.sample(KEYS, count)
    return {key: tuple(chance.sample(VALUES, chance.choice((1, 1, 2, 3)))) for key in keys}


def step(world: World, chance: random.Random) -> None:
    """One thing happens, as likely as it takes to meet full parts with rules on their way both in and out."""
    dice = chance.random()
    to_refresh = world.to_refresh()
    if dice < 0.4:
        if to_refresh:
            world.fork(chance.choice(to_refresh))
    elif dice < 0.7:
        if world.starting:
            world.take_over(chance.choice(sorted(world.starting)))
    elif dice < 0.95:
        changed = some_rules(chance, chance.choice((1, 1, 2)))
        world.change_rules(changed, set(chance.sample(KEYS, chance.choice((0, 0, 1)))))
    elif dice < 0.97:
        world.change_limit(chance.choice((3, 4)))
    elif dice < 0.98 and world.streaming:
        world.die(chance.choice(sorted(world.streaming)))
    else:
        world.drain_unwanted()


def walk(seed: int, walks: int) -> None:
    chance = random.Random(seed)
    for _ in range(walks):
        world = World(some_rules(chance, 6), limit=3)
        for _ in range(40):
            step(world, chance)
        world.check_the_way_is_free(chance.choice)


@pytest.mark.parametrize("seed", range(4))
def test_rules_that_stream_stay_served_and_the_way_to_the_target_is_free(seed: int) -> None:
    """The same world on long random walks: they meet crossings that short stories do not."""
    walk(seed, 400)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 106))
def test_the_same_on_many_walks(seed: int) -> None:
    walk(seed, 1500)
