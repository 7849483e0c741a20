"""A line decoded once: with what every post needs, and what its v1.1 form is made of."""

from __future__ import annotations

import orjson
import pytest
from support.making_posts import post_fields, post_line, repost_of

from traptor.sandbox.tweets.maker import TweetMaker
from traptor.sandbox.v2.fields import parse_fields
from traptor.sandbox.v2.posts import read_post
from traptor.supervisor.xapi.expansions import stream_query
from traptor.worker.payload.source import SourceLine, decode_source
from traptor.worker.posts.head import PostHead, edits_of
from traptor.worker.posts.paid import included_posts, included_users
from traptor.worker.posts.postline import OtherLine, decode_head, read_line


def told_by(head: PostHead) -> tuple[object, ...]:
    """What the handling of a post asks of its head."""
    post, named = head.post, head.matching_rules or ()
    mentioned = post.entities.mentions if post.entities is not None else None
    return (
        *(post.id, post.author_id, post.created_at, post.in_reply_to_user_id, *edits_of([post])),
        *(head.created_at, head.reposted_author(), included_posts(head), included_users(head)),
        *([one.id for one in named], [one.id for one in mentioned or ()]),
        *(bytes(head.errors), bytes(head.traptor), [one.author_id for one in head.included_posts]),
    )


@pytest.mark.parametrize("expand", ["none", "all"])
def test_the_head_is_the_same(expand: str) -> None:
    maker, fields = TweetMaker(5), parse_fields(stream_query(expand))
    for _ in range(300):
        post = read_post(maker.make(1_793_000_000.0, 0.1))
        assert post is not None
        line = post.line(fields, [("1", "a"), ("2", None)]).json
        assert told_by(decode_source(line)) == told_by(decode_head(line))


def test_both_spellings_errors_and_edits_are_in_the_head_too() -> None:
    edited = post_fields("a", id="3", edit_history_post_ids=["2", "3"])
    repost = repost_of(edited) | {"referenced_posts": [{"type": "retweeted", "id": "3"}]}
    del repost["referenced_tweets"]
    for fields in (edited, repost, post_fields("b", entities={}, referenced_tweets=[])):
        for members in ({}, {"includes": {"posts": [edited]}}, {"errors": [{"title": "x"}], "traptor": {}}):
            line = post_line(fields, "7", **members)
            assert told_by(decode_source(line)) == told_by(decode_head(line))


@pytest.mark.parametrize(
    "odd", [{"entities": {"urls": 5}}, {"note_tweet": []}, {"public_metrics": None}, {"geo": "x"}]
)
def test_a_post_of_undocumented_types_has_a_head_at_least(odd: dict[str, object]) -> None:
    line = post_line(post_fields("a", **odd), "7")
    found = read_line(line, decode_source)
    assert isinstance(found, PostHead)
    assert not isinstance(found, SourceLine)
    assert told_by(found) == told_by(decode_head(line))


def test_other_lines_are_what_they_are() -> None:
    for document in ({}, {"data": None}, {"errors": [{"title": "x"}]}, [], "x", {"data": {"text": "a"}}):
        line = orjson.dumps(document)
        found = read_line(line, decode_source)
        assert isinstance(found, OtherLine)
        assert found == read_line(line)
