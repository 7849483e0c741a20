"""Posts in messages that were delivered."""

from __future__ import annotations

import json

import pytest

from traptor.worker.posts.kept import kept_posts, kept_together
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
        ({"id_str": "7", "traptor": {"collection": {"received_at": "2999-01-01"}}}, KeptPost(7, (), NOW)),
        ({"id_str": "7", "traptor": {"collection": {"received_at": "1969-01-01"}}}, KeptPost(7, (), 0.0)),
    ],
)
def test_a_post_is_found_with_what_it_included_and_when_it_came(
    delivered: dict[str, object], kept: KeptPost
) -> None:
    assert kept_posts([json.dumps(delivered).encode()], NOW) == [kept]


def id_at(unix: float) -> int:
    return int(unix * 1000) - 1_288_834_974_657 << 22


def line_of(unix: float, traptor: str = "{}") -> bytes:
    """A post that was written then, as it is delivered with extras = no."""
    return b'{"data":{"id":"%d"},"traptor":%b}' % (id_at(unix), traptor.encode())


@pytest.mark.parametrize("received_at", ["{}", '{"collection":{"received_at":"x"}}'])
def test_a_post_that_does_not_say_when_it_came_came_no_earlier_than_it_or_one_before_it_was_written(
    received_at: str,
) -> None:
    lines = [line_of(NOW - age_s, received_at) for age_s in (86_400, 500, 86_300, 10, 3_600, -3_600)]
    ages = [NOW - one.received_at_s for one in kept_posts(lines, NOW)]
    assert ages == [86_400, 500, 500, 10, 10, 0]


def test_a_post_that_says_when_it_came_dates_those_after_it_that_do_not() -> None:
    own = b'{"data":{"id":"%d"},%b' % (id_at(CAME_AT - 5), json.dumps(CAME).encode()[1:])
    lines = [line_of(CAME_AT - 90), own, line_of(CAME_AT - 80), line_of(CAME_AT + 3), own]
    came = [one.received_at_s - CAME_AT for one in kept_posts(lines, NOW)]
    assert came == [-90, 0, 0, 3, 0]


@pytest.mark.parametrize(
    ("noted_s", "came_s"),
    [(NOW - 60, NOW - 60), (NOW - 9_000, NOW - 600), (NOW + 9, NOW), (None, NOW - 600)],
)
def test_posts_that_were_kept_together_came_together(noted_s: float | None, came_s: float) -> None:
    lines = [line_of(NOW - age_s) for age_s in (86_400, 600, 7_200)]
    assert [one.received_at_s for one in kept_together(lines, noted_s, NOW)] == [came_s] * 3


def test_of_posts_that_were_kept_together_each_may_say_when_it_came() -> None:
    lines = [b'{"id_str":"7",%b' % json.dumps(CAME).encode()[1:], line_of(NOW - 60)]
    assert [one.received_at_s for one in kept_together(lines, None, NOW)] == [CAME_AT, NOW - 60]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"{}", b'{"id_str":"x"}', b'{"id_str":7}', b"\xff", b"[" * 9999]
)
def test_what_holds_no_post_is_passed_over(line: bytes) -> None:
    assert [one.post for one in kept_posts([line, b'{"id_str":"7"}'], NOW)] == [7]
