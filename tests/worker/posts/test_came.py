"""Posts that came together, as columns."""

from __future__ import annotations

from support.making_posts import head_of, post_fields, post_line

from traptor.worker.posts.came import Came

LINES = [post_line(post_fields(id=str(number)), "1") for number in (5, 6, 7)]
HEADS = [head_of(line) for line in LINES]
CAME = Came(LINES, HEADS, [head.post for head in HEADS], [5, 6, 7], [False, True, False])


def test_some_posts_keep_their_order_and_all_that_is_known_of_them() -> None:
    assert CAME.only([True, False, True]) == Came(
        [LINES[0], LINES[2]], [HEADS[0], HEADS[2]], [HEADS[0].post, HEADS[2].post], [5, 7], [False, False]
    )


def test_each_post_can_be_taken_alone() -> None:
    alone = list(CAME.singly())
    assert [one.numbers for one in alone] == [[5], [6], [7]]
    assert [one.seen for one in alone] == [[False], [True], [False]]
    assert [one.raws for one in alone] == [[line] for line in LINES]
