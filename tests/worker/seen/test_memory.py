"""What is remembered of posts: for how long, and what X has billed today."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.seen.ids import MOST
from traptor.worker.seen.memory import KEPT_S, SILENCE_S, Memory
from traptor.worker.seen.words import TURNED, of_billed, of_time

DAY_S = 86_400
MIDNIGHT = 20_000.0 * DAY_S
POSTS = st.integers(1, 12)


@given(st.lists(st.tuples(POSTS, st.integers(0, 200)), max_size=60))
def test_posts_are_remembered_for_an_hour_and_forgotten_after_two(took: list[tuple[int, int]]) -> None:
    """By the time in which posts came, of which a gap is no part."""
    kept_s = 5 * SILENCE_S  # for an hour
    memory, now, came_s, last = Memory(kept_s=kept_s), MIDNIGHT, 0.0, dict[int, float]()
    memory.pass_time(now)
    for post, passed_s in took:
        now += passed_s
        came_s += min(passed_s, SILENCE_S)
        memory.pass_time(now)
        for one, at in last.items():
            if came_s - at < kept_s:
                assert memory.has(one)
            if came_s - at >= 2 * (kept_s + SILENCE_S):
                assert not memory.has(one)
        if not memory.has(post):
            last[post] = came_s
        memory.take([post])


@pytest.mark.parametrize("by", ["itself", "its successor"])
def test_the_hour_before_a_gap_is_known_after_it_however_long_it_was(by: str) -> None:
    before, begins = Memory(), MIDNIGHT + 600
    words = [of_time(int(MIDNIGHT)), 1, of_time(int(begins)), 2]
    before.learn(words, 0)
    after = before if by == "itself" else Memory()
    if after is not before:
        after.learn(words, 0)
    for passed_s in range(0, 1_800, 10):  # then posts come again
        after.pass_time(begins + 20 * KEPT_S + passed_s)
    assert after.has(1)
    assert after.has(2)


@given(st.lists(st.tuples(POSTS, st.booleans()), max_size=40))
def test_each_post_is_billed_once_a_utc_day(came: list[tuple[int, bool]]) -> None:
    memory, now, billed = Memory(), MIDNIGHT - 1, set[int]()
    for post, is_next_day in came:
        if is_next_day:
            now += DAY_S
            billed.clear()
        assert memory.is_billed(post, now) == (post in billed)
        assert bool(memory.bill([post], now)) == (post not in billed)
        billed.add(post)


def test_what_comes_late_from_before_midnight_does_not_count_for_the_new_day() -> None:
    memory = Memory()
    assert memory.bill([1], MIDNIGHT)
    assert memory.bill([2], MIDNIGHT - 0.001)
    assert memory.bill([2], MIDNIGHT + 0.001)
    memory.learn([of_time(int(MIDNIGHT) - 1), 3], 0)
    assert memory.has(3)
    assert not memory.is_billed(3, MIDNIGHT)


def test_what_others_wrote_is_taken_and_billed_at_their_time() -> None:
    memory = Memory()
    words = [of_time(int(MIDNIGHT) - 9), 1, of_time(int(MIDNIGHT) + 9), 2, of_billed(3), TURNED]
    assert memory.learn(words, 0) == MIDNIGHT + 9
    assert [memory.has(post) for post in (1, 2, 3)] == [True, True, False]
    assert [memory.is_billed(post, MIDNIGHT + 9) for post in (1, 2, 3)] == [False, True, True]


@given(st.lists(st.integers(0, TURNED)))
def test_no_word_is_an_error(words: list[int]) -> None:
    memory = Memory()
    memory.learn(words, 0)
    assert not memory.has(MOST) or any(word & MOST == MOST for word in words)


def test_a_clock_that_is_set_back_makes_nothing_forgotten() -> None:
    memory = Memory()
    for now in (MIDNIGHT, MIDNIGHT - 5 * KEPT_S):
        memory.pass_time(now)
        memory.take([7])
    memory.pass_time(MIDNIGHT - 5 * KEPT_S + 1)
    assert memory.has(7)
