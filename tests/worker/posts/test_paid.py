"""What X bills, counted beside a plain reading of its rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.making_posts import head_of, post_fields, post_line

from traptor.worker.posts.paid import PaidReads
from traptor.worker.posts.seenids import SeenIds

DAY_S = 86_400
IDS = st.integers(1, 12).map(lambda n: 900_000_000_000_000_000 + n)
LINES = st.lists(st.tuples(IDS, st.lists(IDS, max_size=3), st.integers(0, 3), st.booleans()), max_size=30)


@given(LINES)
def test_each_post_counts_once_a_day_and_each_user_each_time(
    lines: list[tuple[int, list[int], int, bool]],
) -> None:
    reads, now, seen = PaidReads(), 20_000.0 * DAY_S, set[int]()
    expected = {"posts": 0, "included_posts": 0, "included_users": 0}
    for post_id, included, users, is_next_day in lines:
        if is_next_day:
            now += DAY_S
            seen.clear()
        includes = {"tweets": [{"id": str(one)} for one in included], "users": [{"id": "7"}] * users}
        reads.count(head_of(post_line(post_fields(id=str(post_id)), includes=includes)), now)
        expected["included_users"] += users
        for kind, one in [("posts", post_id), *(("included_posts", one) for one in included)]:
            expected[kind] += one not in seen
            seen.add(one)
    assert reads.so_far() == expected


def test_the_day_is_that_of_utc_midnight() -> None:
    reads = PaidReads()
    line = head_of(post_line(post_fields()))
    midnight = 20_000 * DAY_S
    for at in (midnight - 0.1, midnight - 0.001, midnight, midnight + 0.1):
        reads.count(line, at)
    assert reads.so_far()["posts"] == 2


def test_ids_that_are_no_numbers_count_each_time() -> None:
    reads = PaidReads()
    for post_id in ("x", "x", "-5", "0", str(1 << 64)):
        reads.count(head_of(post_line(post_fields(id=post_id))), 1.0)
    assert reads.so_far()["posts"] == 5


@given(st.lists(st.integers(1, 400)), st.integers(1, 50))
def test_the_last_ids_are_known_and_no_unknown_one_is(numbers: list[int], least: int) -> None:
    seen, order = SeenIds(least), dict[int, None]()
    for number in numbers:
        is_new = seen.add(number)
        if number in list(order)[-least:]:
            assert not is_new
        if number not in order:
            assert is_new
        if is_new:
            order.pop(number, None)
            order[number] = None


def test_ids_take_no_more_memory_than_promised() -> None:
    seen = SeenIds(1 << 12)
    for number in range(1, 1 << 15):
        assert seen.add(number << 22)
    assert seen.size_bytes <= 32 * (1 << 12)
    assert not seen.add(((1 << 15) - 1) << 22)
