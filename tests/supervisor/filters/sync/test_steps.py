"""Whatever stands in the app, and wherever a sync is interrupted, repeated looks end with what is wanted."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.toyx import ToyX

from traptor.supervisor.filters.language.reading import read_filter
from traptor.supervisor.filters.sync.difference import difference
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal, subjects, subjects_of
from traptor.supervisor.filters.sync.standing import EFFECT_S, KNOWN_AFTER_S, Refusal, Standing
from traptor.supervisor.filters.sync.steps import (
    BATCH,
    Add,
    Delete,
    ListFilters,
    Settled,
    Step,
    WaitForEffect,
    next_step,
)
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import BatchAnswer, NewFilter

OURS, FOREIGN = "traptor/default/track:0/7", "somebody's"
LEAVE, REFUSE, ADOPT, REMOVE = (
    ForeignFilters.LEAVE,
    ForeignFilters.REFUSE,
    ForeignFilters.ADOPT,
    ForeignFilters.REMOVE,
)


def goal(values: list[str], policy: ForeignFilters = LEAVE, capacity: int = 1_000) -> Goal:
    return Goal("default", dict.fromkeys(values, "track:0"), policy, capacity)


def brought(
    x: ToyX,
    wanted: Goal,
    standing: Standing | None = None,
    lost: frozenset[int] = frozenset(),
    at: float = 1_000.0,
) -> tuple[Standing, list[Step], tuple[str, ...]]:
    """Run a sync to its end; at the steps in `lost` no answer comes, and all that was known is lost."""
    standing = standing or Standing()
    steps: list[Step] = []
    while len(steps) < 500:
        step = next_step(standing, wanted, at)
        match step:
            case Settled(unplaced):
                return standing, steps, unplaced
            case WaitForEffect(until):
                assert until > at
                at = until
                continue
        after = x.carry_out(step, standing, at)
        standing = Standing() if len(steps) in lost else after
        steps.append(step)
    raise AssertionError(steps)


def kinds(steps: list[Step]) -> list[str]:
    return [type(step).__name__ for step in steps]


WORDS = [f"w{number}" for number in range(12)]
CLAUSES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True).map(" OR ".join)
VALUES = st.lists(CLAUSES, max_size=8, unique=True)
HELD = st.lists(
    st.tuples(CLAUSES, st.sampled_from([OURS, FOREIGN, None])), max_size=8, unique_by=lambda x: x[0]
)


@given(
    HELD,
    VALUES,
    st.sets(st.sampled_from(WORDS), max_size=2),
    st.booleans(),
    st.booleans(),
    st.frozensets(st.integers(0, 12), max_size=6),
    st.sampled_from([LEAVE, ADOPT, REMOVE]),
    st.integers(1, 12),
)
@example(
    held=[("w0 OR w1", OURS), ("w1", OURS), ("w0 OR w2", OURS)],
    values=["w2", "w3", "w0"],
    bad=set(),
    takes_part=False,
    names=False,
    lost=frozenset(),
    policy=LEAVE,
    spare=1,
)
@example(
    held=[("w0 OR w1", OURS), ("w1 OR w2", OURS)],
    values=["w0", "w3"],
    bad={"w0"},
    takes_part=True,
    names=True,
    lost=frozenset(),
    policy=LEAVE,
    spare=1,
)
def test_repeated_looks_end_with_equal_sets(
    held: list[tuple[str, str | None]],
    values: list[str],
    bad: set[str],
    takes_part: bool,
    names: bool,
    lost: frozenset[int],
    policy: ForeignFilters,
    spare: int,
) -> None:
    x = ToyX(takes_part=takes_part, names=names)
    for value, tag in held:
        x.put(value, tag)
    x.bad = frozenset(value for value in values if value in bad) - {value for value, _ in held}
    # What was to replace these is refused: they stay.
    about = subjects_of(x.bad) - subjects_of(value for value in values if value not in x.bad)
    kept = [
        value
        for value, tag in held
        if (tag == OURS or policy is not LEAVE) and value not in values and subjects(value) & about
    ]
    capacity = max(len(held), len(values)) + spare + len(kept)
    if policy is LEAVE:
        capacity += sum(tag != OURS for _, tag in held)
    wanted = goal(values, policy, capacity)
    standing, steps, unplaced = brought(x, wanted, lost=lost)
    foreign = [value for value, tag in held if tag != OURS and policy is LEAVE and value not in values]
    good = [value for value in values if value not in x.bad]
    assert sorted(x.values) == sorted([*foreign, *kept, *good])
    assert not unplaced
    assert x.most <= max(capacity, len(held))
    found = difference(standing, wanted, 1e6)
    assert set(found.carried) == set(values) - x.bad
    assert set(difference(standing, wanted, 1_500.0).refused) == x.bad
    if not lost:
        searching = 0 if names else 4 * len(x.bad)
        # With room for one filter only, each that leaves makes room for one that comes.
        assert len(steps) <= 1 + 1 + (2 if x.bad else 0) + searching + 1 + 2 * len(held)
        # Looking again costs the list alone, and changes nothing.
        assert kinds(brought(x, wanted, standing.doubted(), at=1_500.0)[1]) == ["ListFilters"]


@given(HELD, VALUES, st.integers(0, 6))
def test_what_is_still_wanted_is_found_all_the_time(
    held: list[tuple[str, str | None]], values: list[str], spare: int
) -> None:
    x = ToyX()
    for value, _ in held:
        x.put(value, OURS)
    wanted = goal(values, capacity=len(held) + len(values) + spare)
    kept = subjects_of(x.values) & subjects_of(values)
    standing, at = Standing().listed(list(x.filters.values()), 0.0), 1_000.0
    while not isinstance(step := next_step(standing, wanted, at), Settled):
        if isinstance(step, WaitForEffect):
            at = step.until
        else:
            standing = x.carry_out(step, standing, at)
        in_effect = [one.value for key, one in standing.filters.items() if standing.is_in_effect(key, at)]
        assert kept <= subjects_of(in_effect)


def test_the_values_of_the_tests_are_read_as_clauses() -> None:
    assert read_filter("w1 OR w2")
    assert len(subjects("w1 OR w2")) == 2


def test_the_usual_change_adds_waits_until_it_is_in_effect_and_deletes() -> None:
    x = ToyX()
    x.put("a OR b", OURS)
    standing, steps, _ = brought(x, goal(["a OR c", "b"]))
    assert kinds(steps) == ["ListFilters", "Add", "Delete"]
    assert x.values == ["a OR c", "b"]
    assert standing.gone["100"].at == 1_000 + EFFECT_S


def test_a_filter_that_nobody_wants_any_more_is_deleted_at_once() -> None:
    x = ToyX()
    x.put("gone", OURS)
    standing = Standing().listed(list(x.filters.values()), 0.0)
    assert next_step(standing, goal([]), 1_000.0) == Delete(("100",))


def test_a_post_with_its_id_puts_a_filter_into_effect() -> None:
    x = ToyX()
    x.put("a OR b", OURS)
    wanted = goal(["a"])
    standing = Standing().listed(list(x.filters.values()), 0.0)
    standing = x.carry_out(next_step(standing, wanted, 100.0), standing, 100.0)
    assert next_step(standing, wanted, 101.0) == WaitForEffect(100.0 + EFFECT_S)
    assert isinstance(next_step(standing.seen("101", 101.0), wanted, 101.0), Delete)


def test_additions_come_in_batches_within_the_free_room() -> None:
    x = ToyX()
    for number in range(5):
        x.put(f"old{number}", OURS)
    values = [f"new{number}" for number in range(2 * BATCH + 30)]
    _, steps, unplaced = brought(x, goal(values, capacity=len(values) + 2))
    assert [len(step.filters) for step in steps if isinstance(step, Add)] == [100, 100, 27, 3]
    assert not unplaced
    assert x.most == len(values) + 2


def test_without_any_room_old_filters_go_first() -> None:
    x = ToyX()
    x.put("a OR b", OURS)
    x.put("c OR d", OURS)
    _, steps, _ = brought(x, goal(["a OR c", "b OR d"], capacity=2))
    assert kinds(steps) == ["ListFilters", "Delete", "Add"]
    assert x.most == 2


def test_what_finds_no_room_is_told() -> None:
    _, _, unplaced = brought(ToyX(), goal(["a", "b", "c"], capacity=2))
    assert unplaced == ("c",)


@pytest.mark.parametrize("takes_part", [True, False])
def test_of_50_values_the_2_bad_ones_are_found_by_halving(takes_part: bool) -> None:
    values = [f"v{number}" for number in range(50)]
    x = ToyX(bad=frozenset({"v7", "v31"}), takes_part=takes_part, names=False)
    standing, steps, _ = brought(x, goal(values))
    assert len(x.values) == 48
    assert {value: one.reason for value, one in standing.refused.items()} == {"v7": "no", "v31": "no"}
    assert len(steps) <= 1 + 1 + 2 * 2 * 6


def test_named_values_cost_one_request_more() -> None:
    values = [f"v{number}" for number in range(50)]
    x = ToyX(bad=frozenset({"v7", "v31"}), takes_part=False)
    assert kinds(brought(x, goal(values))[1]) == ["ListFilters", "Add", "Add"]


def test_values_taken_before_go_apart_from_new_ones() -> None:
    x = ToyX()
    standing, _, _ = brought(x, goal(["a", "b"]))
    x.filters.clear()
    x.bad = frozenset({"bad"})
    _, steps, _ = brought(x, goal(["bad", "a", "b"]), standing.doubted())
    assert [[one.value for one in step.filters] for step in steps if isinstance(step, Add)] == [
        ["a", "b"],
        ["bad"],
    ]


def test_a_refused_value_is_tried_again_after_an_hour() -> None:
    x = ToyX(bad=frozenset({"a"}))
    standing, _, _ = brought(x, goal(["a"]))
    assert next_step(standing, goal(["a"]), 1_100.0) == Settled()
    assert isinstance(next_step(standing, goal(["a"]), 4_700.0), Add)


def test_a_duplicate_is_used_under_its_id() -> None:
    x = ToyX()
    standing = Standing().listed([], 0.0)
    x.put("a", OURS)  # meanwhile, by another master
    standing, steps, _ = brought(x, goal(["a"]), standing)
    assert kinds(steps) == ["Add", "ListFilters"]
    assert difference(standing, goal(["a"]), 1_000.0).carried == {"a": "100"}


def test_a_duplicate_that_is_never_listed_makes_no_loop() -> None:
    standing = Standing().listed([], 0.0)
    for key in ("", "5"):
        after = standing.added(["a"], BatchAnswer({}, {"a": key}), 100.0)
        assert isinstance(next_step(after, goal(["a"]), 100.0), ListFilters)
        assert next_step(after.listed([], 101.0), goal(["a"]), 101.0) == Settled()


def test_filters_that_cannot_be_deleted_make_no_loop() -> None:
    x = ToyX()
    x.put("a", OURS)
    standing = Standing().listed(list(x.filters.values()), 0.0)
    after = standing.deleted(["100"], 100.0, found_all=False)
    assert isinstance(next_step(after, goal([]), 100.0), ListFilters)
    after = after.listed(list(x.filters.values()), 100.0)
    assert next_step(after, goal([]), 100.0) == WaitForEffect(160.0)


# ---- foreign filters


def three_forgotten() -> ToyX:
    x = ToyX()
    x.put("a", FOREIGN)
    x.put("forgotten", None)
    x.put("grouped (odd one)", "traptor/other/track:0/1")
    return x


def test_refuse_changes_nothing_and_names_them() -> None:
    x = three_forgotten()
    wanted = goal(["a", "b"], REFUSE)
    standing, steps, _ = brought(x, wanted)
    assert kinds(steps) == ["ListFilters"]
    found = difference(standing, wanted, 1_000.0)
    assert [one.value for one in found.foreign] == ["forgotten", "grouped (odd one)"]
    assert set(found.carried) == {"a"}


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (LEAVE, {"a", "b", "forgotten", "grouped (odd one)"}),
        (ADOPT, {"a", "b", "grouped (odd one)"}),
        (REMOVE, {"a", "b"}),
    ],
)
def test_each_policy_does_what_it_says(policy: ForeignFilters, left: set[str]) -> None:
    x = three_forgotten()
    brought(x, goal(["a", "b"], policy))
    assert set(x.values) == left


def test_a_foreign_filter_with_a_wanted_value_is_used_and_never_deleted() -> None:
    x = ToyX()
    x.put("a", FOREIGN)
    standing, steps, _ = brought(x, goal(["a"], REFUSE))
    assert kinds(steps) == ["ListFilters"]
    assert kinds(brought(x, goal([], LEAVE), standing)[1]) == []
    assert x.values == ["a"]


# ---- what is known


def test_tags_name_collection_group_and_number() -> None:
    x = ToyX()
    x.put("old", "traptor/default/track:0/1")
    brought(x, goal(["old", "a", "b"]))
    assert [one.tag for one in x.filters.values()] == [f"traptor/default/track:0/{n}" for n in (1, 2, 3)]


def test_a_deleted_filter_is_known_for_a_minute() -> None:
    x = ToyX()
    x.put("a", OURS)
    standing, _, _ = brought(x, goal([]))
    assert standing.known(1_000.0 + KNOWN_AFTER_S - 1) == {"100": ListedFilter("100", "a")}
    assert standing.known(1_000.0 + KNOWN_AFTER_S) == {}


def test_a_filter_that_vanished_is_put_back() -> None:
    x = ToyX()
    standing, _, _ = brought(x, goal(["a", "b"]))
    x.filters.pop("100")
    standing, steps, _ = brought(x, goal(["a", "b"]), standing.doubted(), at=2_000.0)
    assert kinds(steps) == ["ListFilters", "Add"]
    assert sorted(x.values) == ["a", "b"]
    assert "100" in standing.known(2_000.0)


def test_a_cap_stops_the_adding_for_a_while() -> None:
    standing = Standing().listed([], 0.0).capped(0, 100.0)
    assert next_step(standing, goal(["a"]), 100.0) == Settled(("a",))
    assert isinstance(next_step(standing, goal(["a"]), 401.0), Add)


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "list"]), st.sampled_from(["a", "b", "c"])), max_size=9
)


@given(STEPS)
def test_what_follows_from_the_filters_is_kept_with_them(steps: list[tuple[str, str]]) -> None:
    x, standing = ToyX(), Standing()
    for now, (what, value) in enumerate(steps):
        if what == "add":
            batch = [NewFilter(value, f"traptor/{value}/track:0/1")]
            standing = standing.added([value], x.add(batch), float(now))
        elif what == "delete":
            ids = [key for key, one in standing.filters.items() if one.value == value][:1]
            standing = standing.deleted(ids, float(now), found_all=x.delete(ids))
        else:
            x.put(value, None)
            standing = standing.listed(list(x.filters.values()), float(now))
        anew = Standing().listed(standing.filters.values(), 0.0)
        assert (standing.by_value, standing.owners) == (anew.by_value, anew.owners)


def test_refusals_that_are_over_are_forgotten_by_the_next_list() -> None:
    """Rules come and go for years: what X once refused must not pile up in memory and state_dir."""
    known = (
        Standing()
        .listed([], 0.0)
        .halved(["w1"], Refusal("no", 3_610.0))
        .halved(["w2"], Refusal("no", 6_600.0))
    )
    assert set(known.listed([], 3_500.0).refused) == {"w1", "w2"}
    assert set(known.listed([], 3_700.0).refused) == {"w2"}


SUFFIXED = [f"({word}) -is:retwet" for word in WORDS]


def test_a_suffix_that_x_refuses_is_tried_on_three_filters_and_those_of_before_stay() -> None:
    x = ToyX(takes_part=False, names=False)
    for word in WORDS:
        x.put(word, OURS)
    x.bad = frozenset(SUFFIXED)
    wanted = goal([*SUFFIXED, "other"])
    standing, steps, unplaced = brought(x, wanted)
    assert sorted(x.values) == sorted([*WORDS, "other"])
    assert not unplaced
    adds = [step for step in steps if isinstance(step, Add)]
    assert [len(step.filters) for step in adds] == [1, 1, 1, 1], "one for `other`, and three tries"
    found = difference(standing, wanted, 1_100.0)
    assert set(found.refused) == set(SUFFIXED)
    assert len(found.kept) == len(WORDS)
    assert kinds(brought(x, wanted, standing.doubted(), at=1_500.0)[1]) == ["ListFilters"]


def test_a_suffix_that_x_takes_is_tried_on_one_filter_before_the_others_get_it() -> None:
    x = ToyX(takes_part=False, names=False)
    _, steps, _ = brought(x, goal(SUFFIXED))
    adds = [len(step.filters) for step in steps if isinstance(step, Add)]
    assert adds == [1, len(SUFFIXED) - 1]


def test_a_single_refused_value_says_nothing_of_a_suffix_that_others_have() -> None:
    x = ToyX(takes_part=True, names=True)
    x.put(SUFFIXED[0], OURS)
    x.bad = frozenset(SUFFIXED[1:6])
    standing, _, _ = brought(x, goal(SUFFIXED))
    assert sorted(x.values) == sorted({*SUFFIXED} - x.bad)
    assert set(difference(standing, goal(SUFFIXED), 1_100.0).refused) == x.bad


def test_what_was_to_be_replaced_by_a_refused_filter_is_not_deleted_for_want_of_room() -> None:
    x = ToyX(takes_part=True, names=True)
    for word in WORDS[:4]:
        x.put(word, OURS)
    x.bad = frozenset(SUFFIXED[:2])
    standing, _, _ = brought(x, goal([*SUFFIXED[:2], *WORDS[2:4]]))
    _, _, unplaced = brought(x, goal([*SUFFIXED[:2], "w8", "w9", "w10"], capacity=4), standing, at=1_100.0)
    assert sorted(x.values) == ["w0", "w1", "w8", "w9"]
    assert unplaced == ("w10",)


def test_where_there_is_no_room_one_filter_goes_to_try_a_suffix() -> None:
    x = ToyX(takes_part=False, names=False)
    for word in WORDS:
        x.put(word, OURS)
    x.bad = frozenset(SUFFIXED)
    brought(x, goal(SUFFIXED, capacity=len(WORDS)))
    assert len(x.values) == len(WORDS) - 1
