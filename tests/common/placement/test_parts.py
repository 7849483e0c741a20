"""Which rule goes to which part."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from traptor.common.placement.parts import Assignment, Share, assign, connection_name, hold
from traptor.common.rules.rule import GroupId, Rule

GROUP = GroupId.parse("follow:0")
Table = dict[str, tuple[str, ...]]

keys = st.integers(0, 60).map(lambda number: f"k{number:02}")
one_value = st.integers(0, 80).map(lambda number: (f"v{number}",))
up_to_four_values = st.lists(st.integers(0, 50).map(lambda n: f"v{n}"), min_size=1, max_size=4, unique=True)
single_tables = st.dictionaries(keys, one_value, max_size=50)
tables = st.dictionaries(keys, up_to_four_values.map(tuple), max_size=50)
limits = st.integers(4, 12)


def rules_of(table: Table) -> list[Rule]:
    return [Rule(key, key, GROUP, values, b"{}") for key, values in table.items()]


def numbered(start: int, stop: int) -> Table:
    """Rules with a value of their own each."""
    return {f"k{number:04}": (f"v{number}",) for number in range(start, stop)}


def distinct(table: Table, members: frozenset[str]) -> int:
    return len({value for key in members for value in table[key]})


def settled(table: Table, limit: int, previous: Assignment | None = None) -> Assignment:
    """An assignment that streams: everything is where it belongs."""
    return assign(rules_of(table), limit, previous, {})


def streaming(assignment: Assignment) -> dict[int, frozenset[str]]:
    return dict(assignment.members)


def movers(before: Assignment, after: Assignment) -> set[str]:
    return {key for key in before.parts.keys() & after.parts.keys() if before.parts[key] != after.parts[key]}


def stayers(before: Assignment, after: Assignment, part: int) -> frozenset[str]:
    return before.members[part] & after.members.get(part, frozenset())


def test_the_first_part_has_the_name_of_the_group() -> None:
    assert [connection_name(GROUP, part) for part in (1, 2, 13)] == ["follow:0", "follow:0.2", "follow:0.13"]


def test_5500_follow_rules_need_two_connections() -> None:
    assignment = settled(numbered(0, 5500), 5000)
    assert {part: len(members) for part, members in assignment.members.items()} == {1: 5000, 2: 500}


@given(tables, limits)
def test_every_rule_has_one_part_and_no_part_is_above_the_limit(table: Table, limit: int) -> None:
    assignment = settled(table, limit)
    assert sorted(key for members in assignment.members.values() for key in members) == sorted(table)
    assert all(distinct(table, members) <= limit for members in assignment.members.values())
    assert {key: assignment.parts[key] for key in table} == {
        key: part for part, members in assignment.members.items() for key in members
    }


@given(single_tables, limits)
def test_a_cold_start_needs_as_few_parts_as_possible(table: Table, limit: int) -> None:
    """Rules with one value: rules that share it go together, and all parts but one are full."""
    assignment = settled(table, limit)
    needed = -(-len(set(table.values())) // limit)
    assert sorted(assignment.members) == list(range(1, needed + 1))


@given(tables, limits, st.randoms())
def test_a_cold_start_does_not_depend_on_the_order_of_the_rules(table: Table, limit: int, chance) -> None:
    shuffled = list(table.items())
    chance.shuffle(shuffled)
    assert settled(table, limit).parts == settled(dict(shuffled), limit).parts


@given(tables, limits)
def test_the_same_rules_stay_where_they_are(table: Table, limit: int) -> None:
    first = settled(table, limit)
    assert assign(rules_of(table), limit, first, streaming(first)) is first


@settings(deadline=None)
@given(tables, tables, limits)
@example(  # k00 has to go while k01 stays; then k01 goes too
    before={"k00": ("v0",), "k01": ("v3",), "k02": ("v1", "v4")},
    changes={"k00": ("v0", "v2"), "k01": ("v0", "v2", "v3")},
    limit=4,
)
def test_while_no_part_goes_only_changed_rules_move(before: Table, changes: Table, limit: int) -> None:
    """New rules push nobody; a changed rule moves only when its part is too full for it."""
    first = settled(before, limit)
    table = before | changes
    second = assign(rules_of(table), limit, first, streaming(first))
    assume(len(second.members) >= len(first.members))
    for key in movers(first, second):
        assert table[key] != before[key]
        assert distinct(table, stayers(first, second, first.parts[key]) | {key}) > limit


@given(tables, tables, limits, st.integers(1, 8))
@example(  # c changes while the part is too full; then b goes, and c needs nothing that a does not have
    before={"a": ("v0", "v1", "v2", "v3"), "b": ("v4",), "c": ("v4",)},
    changes={"c": ("v0",)},
    limit=5,
    lowered_by=1,
)
def test_after_the_limit_was_lowered_only_rules_move_that_cannot_stay(
    before: Table, changes: Table, limit: int, lowered_by: int
) -> None:
    """Rules that changed at the same time stay as well where they can."""
    lower = max(4, limit - lowered_by)
    first = settled(before, limit)
    table = before | changes
    second = assign(rules_of(table), lower, first, streaming(first))
    assume(len(second.members) >= len(first.members))
    for key in movers(first, second):
        assert distinct(table, stayers(first, second, first.parts[key]) | {key}) > lower


@given(st.integers(0, 10), st.integers(0, 10), st.integers(2, 10))
def test_an_overfull_part_sheds_exactly_what_is_too_much(changed: int, added: int, limit: int) -> None:
    """Some rules of a full part come to have a second value: one that goes lets another stay."""
    before = numbered(0, limit)
    grown = {key: (*before[key], f"more-{key}") for key in list(before)[:changed]}
    first = settled(before, limit)
    second = assign(rules_of(before | grown | numbered(500, 500 + added)), limit, first, streaming(first))
    moved = movers(first, second)
    assert moved <= grown.keys()
    assert len(moved) == -(-len(grown) // 2)


def test_a_part_that_was_over_the_limit_sheds_no_more_than_it_must() -> None:
    first = settled(numbered(0, 8), 10)
    grown = {"k0000": ("v0", "a"), "k0001": ("v1", "b"), "k0002": ("v2", "c"), "k0003": ("v3", "d", "e", "f")}
    second = assign(rules_of(numbered(0, 8) | grown), 10, first, streaming(first))
    assert movers(first, second) == {"k0003"}


def test_new_rules_go_where_their_values_are() -> None:
    first = settled(numbered(0, 15), 10)
    second = assign(rules_of(numbered(0, 15) | {"new": ("v12", "x")}), 10, first, streaming(first))
    assert second.parts["new"] == 2
    third = assign(rules_of(numbered(0, 15) | {"new": ("v3",)}), 10, first, streaming(first))
    assert third.parts["new"] == 1  # full, but it has the value already


def test_new_rules_go_to_the_lowest_part_with_room_else_to_a_new_part() -> None:
    table = numbered(0, 30)
    first = settled(table, 10)
    del table["k0003"], table["k0013"]
    second = assign(rules_of(table | numbered(90, 93)), 10, first, streaming(first))
    assert [second.parts[key] for key in ("k0090", "k0091", "k0092")] == [1, 2, 4]


def test_a_new_part_takes_the_lowest_free_number() -> None:
    table = numbered(0, 40)
    first = settled(table, 10)
    table = {key: values for key, values in table.items() if first.parts[key] != 2}
    second = assign(rules_of(table), 10, first, streaming(first))
    assert sorted(second.members) == [1, 3, 4]
    third = assign(rules_of(table | numbered(90, 91)), 10, second, streaming(second))
    assert third.parts["k0090"] == 2


@pytest.mark.parametrize(("left", "parts"), [(18, {1, 2}), (19, {1, 2, 3})])
def test_the_highest_part_goes_when_the_others_would_be_at_most_90_percent_full(
    left: int, parts: set[int]
) -> None:
    table = numbered(0, 30)
    first = settled(table, 10)
    for number in (0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23)[: 30 - left]:
        del table[f"k{number:04}"]
    second = assign(rules_of(table), 10, first, streaming(first))
    assert set(second.members) == parts
    moved = movers(first, second)
    assert moved == (set(first.members[3]) & table.keys() if 3 not in parts else set())


@settings(deadline=None)
@given(single_tables, st.sets(keys), limits)
def test_shrinking_goes_on_until_it_would_be_too_full(table: Table, gone: set[str], limit: int) -> None:
    first = settled(table, limit)
    table = {key: values for key, values in table.items() if key not in gone}
    second = assign(rules_of(table), limit, first, streaming(first))
    values = {part: {v for key in members for v in table[key]} for part, members in second.members.items()}
    if len(values) > 1:
        highest = values.pop(max(values))
        held = sum(map(len, values.values())) + len(highest.difference(*values.values()))
        assert held > 0.9 * limit * len(values)
    else:
        assert set(values) <= {1}


def test_a_group_that_fits_into_one_part_is_part_1() -> None:
    table = numbered(0, 20)
    first = settled(table, 10)
    second = assign(rules_of(numbered(10, 20)), 10, first, streaming(first))
    assert set(second.members) == {1}


def test_a_rule_larger_than_the_limit_is_an_error() -> None:
    with pytest.raises(ValueError, match="k has 3 values"):
        settled({"k": ("a", "b", "c")}, 2)


@given(tables, tables, limits, limits)
@example(  # b, c and d grow and have to go; then one of them can stay after all, but no two
    before={"a": ("v7",), "b": ("v4",), "c": ("v0", "v4"), "d": ("v2",)},
    changes={"b": ("v0", "v3", "v6"), "c": ("v0", "v2", "v5"), "d": ("v1", "v2", "v3", "v5")},
    limit=4,
    new_limit=4,
)
def test_no_part_is_above_the_limit_when_rules_and_limit_change(
    before: Table, changes: Table, limit: int, new_limit: int
) -> None:
    first = settled(before, limit)
    table = before | changes
    second = assign(rules_of(table), new_limit, first, streaming(first))
    assert all(distinct(table, members) <= new_limit for members in second.members.values())
    assert second.parts.keys() == table.keys()


def test_what_streams_where_it_belongs_is_all_that_is_wanted() -> None:
    target = settled(numbered(0, 15), 10)
    assert hold(target, {}) == {part: Share(members) for part, members in target.members.items()}
    assert hold(target, streaming(target)) == hold(target, {})


def test_a_rule_stays_wanted_in_its_old_part_until_it_streams_in_the_new_one() -> None:
    target = settled({"a": ("a",), "b": ("b",)}, 2)
    assert hold(target, {2: frozenset("b")}) == {1: Share(frozenset("ab")), 2: Share(frozenset("b"))}
    assert hold(target, {1: frozenset("ab"), 2: frozenset("b")}) == {1: Share(frozenset("ab"))}


def test_a_part_that_cannot_carry_its_guests_too_is_held_for_the_parts_that_they_wait_for() -> None:
    before = {"a": ("a",), "b": ("b",)}
    first = settled(before, 2)
    grown = {"a": ("a",), "b": ("b", "c")}
    target = assign(rules_of(grown), 2, first, streaming(first))
    assert target.parts == {"a": 1, "b": 2}
    assert hold(target, streaming(first)) == {
        1: Share(frozenset("ab"), held_for=(2,)),
        2: Share(frozenset("b")),
    }
    assert hold(target, {**streaming(first), 2: frozenset("b")}) == {
        1: Share(frozenset("a")),
        2: Share(frozenset("b")),
    }


def test_rules_that_were_deleted_hold_nothing() -> None:
    target = settled({"a": ("a",)}, 2)
    assert hold(target, {1: frozenset("abc"), 2: frozenset("z")}) == {1: Share(frozenset("a"))}


def test_a_rule_is_not_served_where_the_next_generation_comes_without_it() -> None:
    """Part 1 streams `b` still, but a generation without it is about to take over."""
    target = settled({"a": ("a",), "b": ("b",)}, 2)
    now = {1: frozenset("ab"), 2: frozenset("b")}
    assert hold(target, now, {1: frozenset("a")})[2] == Share(frozenset("b"))
    assert 2 not in hold(target, now, {1: frozenset("ab")})
