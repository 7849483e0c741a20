"""An edited post is delivered again under a new id that names all versions."""

import pytest

from traptor.sandbox.errors import SandboxError

FOLLOW = "from:12 OR to:12 OR retweets_of:12"


def editable(x):
    """Return the ids of the posts that can be edited, of those made so far."""
    plain = [one["id"] for one in x.client.tweets() if one["form"] == "follow:by_user"]
    assert plain
    return plain


def test_a_new_version_is_delivered_as_v1_and_as_v2_and_names_the_ones_before(following, world_v1, until):
    x = following
    old, new = world_v1(x.url), x.app.stream()
    x.client.burst(60, ["12"])
    first = editable(x)[0]
    (second,) = x.client.edit(first)
    (third,) = x.client.edit(second)
    until(lambda: new.ids[-1:] == [third] and old.ids[-1:] == [third], "the versions")
    posts = {post["data"]["id"]: post["data"] for post in new.posts}
    versions = [posts[one]["edit_history_tweet_ids"] for one in (first, second, third)]
    before = versions[0][:-1]  # some are made with versions that nobody saw
    assert versions == [[*before, first], [*before, first, second], [*before, first, second, third]]
    assert posts[first]["text"] == posts[third]["text"]
    tweets = {tweet["id_str"]: tweet for tweet in old.messages}
    assert tweets[third]["edit_history"]["edit_tweet_ids"] == versions[2]
    records = {one["id"]: one for one in x.client.tweets()}
    assert records[third]["edit_of"] == records[second]["n"]
    assert records[third]["for"] == ["12"]


def test_a_search_finds_the_last_version_only(start_v2):
    x = start_v2(search_every_s=0.0, search_lag_s=0.0)
    x.client.burst(60, ["12"])
    first = editable(x)[0]
    (second,) = x.client.edit(first)
    found = x.app.call("GET", "/2/tweets/search/all", query=FOLLOW, max_results=100).json()["data"]
    ids = [post["id"] for post in found]
    assert second in ids
    assert first not in ids


def test_what_cannot_be_edited_is_refused(following):
    x = following
    x.client.burst(60, ["12"])
    (repost, *_) = (one["id"] for one in x.client.tweets() if one["form"] == "follow:retweet_by")
    first = editable(x)[0]
    x.client.edit(first)
    for refused in (repost, first, "1"):
        with pytest.raises(SandboxError):
            x.client.edit(refused)


def test_a_share_of_the_tweets_is_edited_after_a_while(start_v2, until):
    x = start_v2({"edits": 1.0})
    x.app.add(FOLLOW)
    x.client.burst(20, ["12"])
    until(lambda: len([one for one in x.client.tweets() if one["edit_of"]]) >= len(editable(x)) // 2, "edits")
    edit = next(one for one in x.client.tweets() if one["edit_of"])
    assert edit["n"] > 20
    assert edit["id"] in {match["id"] for match in x.v2.matches()}
