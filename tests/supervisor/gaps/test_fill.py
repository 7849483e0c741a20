"""The record of how a gap is filled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.fills import FillMethod
from traptor.supervisor.gaps.fill import UNFILLED, Fill, FillIndex, FillState, is_filled, shown_fill
from traptor.supervisor.gaps.interval import GapCause

FILL = Fill(1, "v2:app", 1_790_000_000.0, 1_790_000_060.0, FillMethod.SEARCH, at=1_790_000_060.0)


@given(
    st.lists(st.tuples(st.sampled_from(["page", "last page", "refused"]), st.integers(0, 500)), max_size=30),
    st.integers(1, 5),
)
def test_a_fill_ends_with_its_last_step_and_counts_what_came(
    pieces: list[tuple[str, int]], steps: int
) -> None:
    fill = FILL.begun(steps, 5.0)
    posts = over = refused = 0
    for kind, count in pieces:
        if not fill.is_open:
            break
        if kind == "refused":
            fill = fill.refuses("bad", 6.0)
            refused += 1
        else:
            fill = fill.got(count, 0.5, 6.0).fetched("t" if kind == "page" else "")
            posts += count
        over += kind != "page"
        assert (fill.token == "t") is (kind == "page")
    assert (fill.posts, fill.step, fill.refused) == (posts, over, refused)
    assert fill.is_open is (over < steps)
    if not fill.is_open:
        assert fill.state is (FillState.GIVEN_UP if refused == steps else FillState.DONE)


def test_gaps_that_follow_each_other_closely_are_filled_together_until_the_fill_begins() -> None:
    assert FILL.joins(FILL.to_unix + 59)
    assert FILL.joins(FILL.to_unix - 5)
    assert not FILL.joins(FILL.to_unix + 61)
    assert not FILL.joins(FILL.from_unix - 61)
    assert not FILL.begun(3, 9.0).joins(FILL.to_unix)
    joined = FILL.joined(FILL.to_unix + 3, FILL.to_unix + 8)
    assert (joined.from_unix, joined.to_unix) == (FILL.from_unix, FILL.to_unix + 8)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=20),
    st.integers(0, 1000),
    st.integers(1, 300),
)
def test_the_fills_of_a_gap_are_found_among_those_that_follow_each_other(
    lengths: list[tuple[int, int]], begin: int, seconds: int
) -> None:
    fills, at = [], 0.0
    for number, (pause, length) in enumerate(lengths):
        fills.append(replace(FILL, id=number, from_unix=at + pause, to_unix=at + pause + length))
        at += pause + length
    others = [replace(one, connection="v2:other") for one in fills]
    gap = replace(FILL, from_unix=float(begin), to_unix=float(begin + seconds))
    found = FillIndex([*others, *reversed(fills)]).of(gap)
    assert found == [one for one in fills if one.covers(gap)]


def test_what_was_ended_on_purpose_is_not_filled() -> None:
    assert {cause for cause in GapCause if not is_filled(cause, 1)} == UNFILLED
    assert not is_filled(None, 1)
    assert is_filled("crash", 1)


def test_the_time_before_the_first_stream_is_not_filled_but_that_of_a_new_master_is() -> None:
    assert not is_filled("start", None)
    assert is_filled("start", 7)


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (FILL, "to be filled by search"),
        (
            FILL.begun(3, 9.0).got(41, 0.205, 9.0).fetched(""),
            "being filled by search, 1 of 3, 41 posts, $0.20",
        ),
        (
            FILL.begun(1, 9.0).got(41, 0.21, 1_790_000_100.0).fetched(""),
            "filled by search 14:15, 41 posts, $0.21",
        ),
        (
            FILL.begun(2, 9.0).refuses("bad", 9.0).got(1, 0.01, 1_790_000_100.0).fetched(""),
            "filled by search 14:15, 1 posts, $0.01, 1 of 2 queries refused",
        ),
        (FILL.given_up("no access", 9.0), "not filled (0 posts, $0.00): no access"),
    ],
)
def test_a_fill_is_shown_in_a_phrase(fill: Fill, said: str) -> None:
    assert shown_fill(fill.as_json()) == said


def test_both_halves_of_a_long_gap_are_found_as_what_fills_it() -> None:
    whole = replace(FILL, to_unix=FILL.from_unix + 7_200)
    earlier, later = whole.halves(2)
    assert (earlier.id, later.id, earlier.seconds, later.seconds) == (1, 2, 3_600, 3_600)
    assert FillIndex([later, earlier]).of(whole) == [earlier, later]


def test_what_a_stream_brought_of_a_long_gap_is_counted_for_one_of_its_halves() -> None:
    halves = replace(FILL, to_unix=FILL.from_unix + 7_200).got(40, 0.2, 9.0).halves(2)
    assert [(one.posts, one.dollars) for one in halves] == [(40, 0.2), (0, 0.0)]
