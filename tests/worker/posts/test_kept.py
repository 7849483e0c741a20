"""Posts in messages that were delivered."""

from __future__ import annotations

import json

import pytest

from traptor.worker.posts.kept import kept_posts
from traptor.worker.seen.claims import KeptPost

NOW = 1_793_000_000.0
CAME = {"traptor": {"collection": {"received_at": "2026-10-26T01:02:03.250+00:00"}}}
CAME_AT = 1_792_976_523.25


@pytest.mark.parametrize(
    ("delivered", "kept"),
    [
        ({"data": {"id": "7"}, **CAME}, KeptPost(7, (), CAME_AT)),
        ({"data": {"id": "7"}, "includes": {"tweets": [{"id": "8"}]}, **CAME}, KeptPost(7, (8,), CAME_AT)),
        ({"id": 7, "id_str": "7", **CAME}, KeptPost(7, (), CAME_AT)),
        ({"id_str": "7", "traptor": {}}, KeptPost(7, (), NOW)),  # extras = no
        ({"id_str": "7", "traptor": {"collection": {"received_at": "2999-01-01"}}}, KeptPost(7, (), NOW)),
        ({"id_str": "7", "traptor": {"collection": {"received_at": "x"}}}, KeptPost(7, (), NOW)),
        ({"id_str": "7", "traptor": {"collection": {"received_at": "1969-01-01"}}}, KeptPost(7, (), 0.0)),
    ],
)
def test_a_post_is_found_with_what_it_included_and_when_it_came(
    delivered: dict[str, object], kept: KeptPost
) -> None:
    assert kept_posts([json.dumps(delivered).encode()], NOW) == [kept]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b'{"id_str":"x"}', b'{"id_str":7}', b"\xff", b"[" * 9999]
)
def test_what_holds_no_post_is_passed_over(line: bytes) -> None:
    assert [one.post for one in kept_posts([line, b'{"id_str":"7"}'], NOW)] == [7]
