"""A post in the form that matching takes."""

from __future__ import annotations

from typing import Any

import pytest
from support.making_posts import post_fields, post_line

from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.worker.match.matcher import Matcher
from traptor.worker.match.searched import searched_of
from traptor.worker.posts.astweet import tweet_of
from traptor.worker.posts.postline import whole_post

PLACE = {"start": 0, "end": 1}


@pytest.mark.parametrize("where", ["post", "note", "quoted", "reposted"])
@pytest.mark.parametrize(
    ("kind", "nameless", "named", "tag"),
    [
        ("hashtags", {"tag": None}, {"tag": "hail"}, "#hail"),
        ("cashtags", {"tag": None}, {"tag": "hail"}, "$hail"),
        ("mentions", {"username": None, "id": "7"}, {"username": "hail", "id": "8"}, "@hail"),
        ("hashtags", {}, {"tag": "hail"}, "#hail"),
        ("mentions", {"id": "7"}, {"username": "hail"}, "@hail"),
    ],
)
def test_an_entity_without_a_name_is_no_word(
    kind: str, nameless: dict[str, Any], named: dict[str, Any], tag: str, where: str
) -> None:
    entities = {kind: [PLACE | nameless, PLACE | named]}
    post: dict[str, Any] = post_fields("x")
    includes: dict[str, Any] = {}
    if where == "post":
        post["entities"] = entities
    elif where == "note":
        post["note_tweet"] = {"text": "x", "entities": entities}
    else:
        reference = {"quoted": "quoted", "reposted": "retweeted"}[where]
        post["referenced_tweets"] = [{"type": reference, "id": "5"}]
        includes = {"tweets": [post_fields("y", id="5", entities=entities)]}
    tweet = tweet_of(whole_post(post_line(post, "11", includes=includes)))
    assert searched_of(tweet)[1] == [tag]
    rule = read_rule("traptor-track:0:1", {"value": "none,#none,@none,$none,null,#null"}, True, Limits())
    assert isinstance(rule, Rule)
    matcher = Matcher([rule])
    assert (matcher.match(tweet), matcher.infer(tweet)) == ([], [])
