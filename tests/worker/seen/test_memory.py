"""What is remembered of posts: for how long, and what X has billed today."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.seen.ids import MOST
from traptor.worker.seen.memory import KEPT_S, Memory
from traptor.worker.seen.words import TURNED, of_billed, of_time

DAY_S = 86_400
MIDNIGHT = 20_000.0 * DAY_S
POSTS = st.integers(1, 12)


@given(st.lists(st.tuples(POSTS, st.integers(0, 5_000)), max_size=40))
def test_posts_are_remembered_for_an_hour_and_forgotten_after_two(took: list[tuple[int, int]]) -> None:
    memory, now, last = Memory(), MIDNIGHT, dict[int, float]()
    for post, passed_s in took:
        now += passed_s
        memory.pass_time(now)
        for one, at in last.items():
            if now - at < KEPT_S:
                assert memory.has(one)
            if now - at >= 3 * KEPT_S:  # looked at seldom, it is forgotten at the next look
                assert not memory.has(one)
        if not memory.has(post):
            last[post] = now
        memory.take(post)


@given(st.lists(st.tuples(POSTS, st.booleans()), max_size=40))
def test_each_post_is_billed_once_a_utc_day(came: list[tuple[int, bool]]) -> None:
    memory, now, billed = Memory(), MIDNIGHT - 1, set[int]()
    for post, is_next_day in came:
        if is_next_day:
            now += DAY_S
            billed.clear()
        assert memory.is_billed(post, now) == (post in billed)
        assert memory.bill(post, now) == (post not in billed)
        billed.add(post)


def test_what_comes_late_from_before_midnight_does_not_count_for_the_new_day() -> None:
    memory = Memory()
    assert memory.bill(1, MIDNIGHT)
    assert memory.bill(2, MIDNIGHT - 0.001)
    assert memory.bill(2, MIDNIGHT + 0.001)
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
        memory.take(7)
    memory.pass_time(MIDNIGHT - 5 * KEPT_S + 1)
    assert memory.has(7)
