"""Filters are as few as needed, none too long, none of two groups, and change no more than the rules do."""

from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fuzzing import examples

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId
from traptor.supervisor.filters.compose import compose
from traptor.supervisor.filters.composition import Allowance, Composition, Demand, Filter
from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.language.translate import translate

FOLLOW, TRACK = GroupId.parse("follow:0"), GroupId.parse("track:0")
PAY_PER_USE = Allowance(1_000, 1_024)


def demand(
    group: GroupId, values: list[str], scope: FollowScope = FollowScope.FULL, suffix: str = ""
) -> Demand:
    wanted: dict[Clause, tuple[str, ...]] = {}
    for value in values:
        clause = translate(group.type, value, scope).clause
        wanted[clause] = (*wanted.get(clause, ()), value)
    return Demand(group, wanted, suffix)


def accounts(count: int) -> list[str]:
    return [str(1_700_000_000_000_000_000 + number) for number in range(count)]


def phrases(count: int) -> list[str]:
    return [f"storm warning {number}" for number in range(count)]


def kinds(composition: Composition) -> tuple[int, int]:
    packed = sum(one.is_packed for one in composition.filters)
    return packed, len(composition.filters) - packed


def packed_clauses(composition: Composition) -> int:
    return sum(len(one.clauses) for one in composition.filters if one.is_packed)


@pytest.mark.parametrize(("scope", "packed"), [(FollowScope.FULL, 500), (FollowScope.AUTHOR, 153)])
def test_5500_accounts_are_packed_and_352_phrases_stand_alone(scope: FollowScope, packed: int) -> None:
    composed = compose([demand(FOLLOW, accounts(5_500), scope), demand(TRACK, phrases(352))], PAY_PER_USE)
    assert kinds(composed) == (packed, 352)
    assert not composed.waiting


def test_phrases_are_packed_only_as_far_as_room_is_needed() -> None:
    composed = compose([demand(FOLLOW, accounts(5_500)), demand(TRACK, phrases(352))], Allowance(800, 1_024))
    assert len(composed.filters) == 760
    assert not composed.waiting
    packed_track = [one for one in composed.filters if one.group == TRACK and one.is_packed]
    assert 1 <= len(packed_track) <= 3


def test_the_largest_group_is_packed_first() -> None:
    small = GroupId.parse("track:1")
    groups = [demand(TRACK, phrases(60)), demand(small, [f"small {n}" for n in range(30)])]
    composed = compose(groups, Allowance(80, 1_024))
    assert not any(one.is_packed for one in composed.filters if one.group == small)
    assert any(one.is_packed for one in composed.filters if one.group == TRACK)


def test_what_does_not_fit_waits_with_a_reason() -> None:
    composed = compose([demand(FOLLOW, accounts(2_000))], Allowance(100, 1_024))
    assert len(composed.filters) == 90
    assert len(composed.waiting) == 2_000 - 90 * 11
    assert {"the app's filters are full: 90 of 100, the rest is for changes"} == {
        one.reason for one in composed.waiting
    }


def test_a_box_of_too_many_tiles_waits_with_their_number_and_a_way_out() -> None:
    boxes = GroupId.parse("locations:0")
    composed = compose([demand(boxes, ["-122,37,-120,39", "10,59,10.2,59.2"])], PAY_PER_USE)
    assert len(composed.filters) == 1
    (waiting,) = composed.waiting
    assert not waiting.fits
    assert waiting.reason == (
        "the box takes 88 tiles of 4826 characters in all, and a filter may have 1024: draw a smaller box, or"
        " several; a whole country is found by track rules with the suffix place_country:XX"
    )


def test_two_groups_that_want_the_same_share_the_filter() -> None:
    other = GroupId.parse("track:7")
    composed = compose([demand(TRACK, ["storm"]), demand(other, ["storm"])], Allowance(20, 1_024))
    assert [one.group for one in composed.by_text["storm"]] == [TRACK, other]


def test_room_that_came_back_lets_clauses_stand_alone_again_step_by_step() -> None:
    allowance = Allowance(50, 1_024)
    full = compose([demand(TRACK, phrases(60))], allowance)
    assert any(one.is_packed for one in full.filters)
    now = full
    for count in (54, 48, 42, 36, 30, 24):
        now = compose([demand(TRACK, phrases(60)[:count])], allowance, now.filters)
    assert sum(len(one.clauses) for one in now.filters) == 24
    assert packed_clauses(now) < packed_clauses(full)


# ---- properties

GROUPS = [GroupId.parse(text) for text in ("follow:0", "follow:1", "track:0", "track:1")]
Wanted = dict[GroupId, set[str]]


def values_of(group: GroupId) -> st.SearchStrategy[str]:
    if group.type == "follow":
        return st.integers(1, 99_999).map(str)
    return st.sampled_from([f"{word} {number}" for word in ("flood", "storm") for number in range(30)])


@st.composite
def wanted(draw: st.DrawFn) -> Wanted:
    return {group: draw(st.sets(values_of(group), max_size=14)) for group in GROUPS}


ALLOWANCES = st.builds(Allowance, st.integers(4, 120), st.integers(90, 300))
TIGHT = st.builds(Allowance, st.integers(4, 60), st.integers(50, 120))  # clauses are packed, and some wait


def demands(what: Wanted) -> list[Demand]:
    return [demand(group, sorted(values)) for group, values in what.items()]


def carried(composition: Composition) -> list[tuple[GroupId, Clause]]:
    return [(one.group, clause) for one in composition.filters for clause in one.clauses]


@given(wanted(), ALLOWANCES)
def test_every_clause_stands_in_one_filter_or_waits_and_no_filter_is_too_long(
    what: Wanted, allowance: Allowance
) -> None:
    composed = compose(demands(what), allowance)
    waiting = [(one.group, one.clause) for one in composed.waiting]
    everything = [(one.group, clause) for one in demands(what) for clause in one.clauses]
    assert sorted(map(repr, carried(composed) + waiting)) == sorted(map(repr, everything))
    assert all(len(one.text) <= allowance.length for one in composed.filters)
    assert len(composed.by_text) <= allowance.usable
    assert all(one.clauses for one in composed.filters)


@given(wanted(), ALLOWANCES)
def test_composing_again_changes_nothing(what: Wanted, allowance: Allowance) -> None:
    composed = compose(demands(what), allowance)
    again = compose(demands(what), allowance, composed.filters)
    assert set(again.by_text) == set(composed.by_text)


def changed(what: Wanted, other: Wanted, k: int, data: st.DataObject) -> tuple[Wanted, int]:
    """Return it with at most k values of `other` added or some removed, and how many are."""
    after = {group: set(values) for group, values in what.items()}
    for _ in range(k):
        group = data.draw(st.sampled_from(GROUPS))
        news = sorted(other[group] - after[group])
        if news and data.draw(st.booleans()):
            after[group].add(data.draw(st.sampled_from(news)))
        elif after[group]:
            after[group].remove(data.draw(st.sampled_from(sorted(after[group]))))
    return after, sum(len(after[group] ^ what[group]) for group in GROUPS)


@examples(200)
@given(wanted(), wanted(), ALLOWANCES | TIGHT, st.lists(st.integers(0, 6), min_size=1, max_size=4), st.data())
def test_each_change_of_k_clauses_makes_at_most_2k_and_one_new_filters(
    what: Wanted, other: Wanted, allowance: Allowance, changes: list[int], data: st.DataObject
) -> None:
    """Whether or not some wait: what comes in when room comes back stands in filters that the change touches.

    No more than k are sent to wait, either, and without a change no filter is another.
    """
    before = compose(demands(what), allowance)
    for most in changes:
        after, k = changed(what, other, most, data)
        now = compose(demands(after), allowance, before.filters)
        assert len(set(now.by_text) - set(before.by_text)) <= (2 * k + 1 if k else 0)
        carried_before, waiting_now = set(carried(before)), {(one.group, one.clause) for one in now.waiting}
        assert len(carried_before & waiting_now) <= k
        what, before = after, now


@given(wanted(), wanted(), ALLOWANCES)
def test_a_change_keeps_everything_in_its_place_or_says_that_it_waits(
    what: Wanted, after: Wanted, allowance: Allowance
) -> None:
    before = compose(demands(what), allowance)
    now = compose(demands(after), allowance, before.filters)
    everything = [(one.group, clause) for one in demands(after) for clause in one.clauses]
    waiting = [(one.group, one.clause) for one in now.waiting]
    assert sorted(map(repr, carried(now) + waiting)) == sorted(map(repr, everything))
    assert len(now.by_text) <= allowance.usable


def test_another_suffix_writes_every_filter_anew() -> None:
    before = compose([demand(TRACK, phrases(3))], PAY_PER_USE)
    now = compose([demand(TRACK, phrases(3), suffix="lang:en")], PAY_PER_USE, before.filters)
    assert sorted(now.by_text) == sorted(f"({phrase}) lang:en" for phrase in phrases(3))


def test_the_cost_grows_with_the_clauses_and_not_with_their_square() -> None:
    """A ratio of CPU time, with room for noise: eight times the clauses, not 64 times the cost."""

    def cost(count: int) -> float:
        wanted = demand(TRACK, phrases(count))
        began = time.thread_time()
        before = compose([wanted], Allowance(count // 20, 1_024))
        compose([wanted], Allowance(count // 20, 1_024), before.filters)
        return time.thread_time() - began

    gc.disable()  # its cost is that of all that other tests left
    try:
        cost(500)
        assert cost(8_000) < 32 * max(cost(1_000), cost(1_000), 0.005)
    finally:
        gc.enable()


def test_a_filter_of_before_that_nobody_wants_is_gone() -> None:
    before = [Filter(GroupId.parse("track:9"), (translate(TRACK.type, "old").clause,))]
    assert compose([demand(TRACK, ["storm"])], PAY_PER_USE, before).by_text.keys() == {"storm"}
