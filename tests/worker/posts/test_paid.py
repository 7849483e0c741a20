"""What X bills for the lines of a stream."""

from __future__ import annotations

from support.making_posts import head_of, post_fields, post_line

from traptor.worker.posts.paid import included_posts, included_users


def test_posts_and_users_in_the_includes_are_found() -> None:
    includes = {"tweets": [{"id": "5"}, {"id": "x"}], "users": [{"id": "7"}] * 2}
    head = head_of(post_line(post_fields(), includes=includes))
    assert (included_posts(head), included_users(head)) == ((5, 0), 2)
    bare = head_of(post_line(post_fields()))
    assert (included_posts(bare), included_users(bare)) == ((), 0)
