"""The v1.1 form of posts: golden shapes, and thousands of posts read both ways from one timeline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making_posts import post_fields, post_line

from traptor.sandbox.tweets.maker import Tweet as Made
from traptor.sandbox.tweets.maker import TweetMaker
from traptor.sandbox.tweets.values import FilterType, parse_values
from traptor.sandbox.v2.fields import parse_fields
from traptor.sandbox.v2.posts import read_post
from traptor.supervisor.xapi.expansions import stream_query
from traptor.worker.payload import rebuild
from traptor.worker.payload.source import decode_source
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.postline import read_line
from traptor.worker.seen.ids import number_of

Json = dict[str, Any]
NOW = 1_793_000_000.0

LINE = {
    "data": {
        "id": "900000000000000020",
        "text": "@bo see #storm https://t.co/abc https://t.co/pic",
        "author_id": "42",
        "created_at": "2026-09-23T10:00:00.000Z",
        "edit_history_tweet_ids": ["900000000000000019", "900000000000000020"],
        "conversation_id": "900000000000000001",
        "in_reply_to_user_id": "7",
        "lang": "en",
        "possibly_sensitive": False,
        "referenced_tweets": [
            {"type": "replied_to", "id": "900000000000000001"},
            {"type": "quoted", "id": "900000000000000002"},
        ],
        "entities": {
            "hashtags": [{"start": 8, "end": 14, "tag": "storm"}],
            "mentions": [{"start": 0, "end": 3, "username": "bo", "id": "7"}],
            "urls": [
                {
                    "start": 15,
                    "end": 31,
                    "url": "https://t.co/abc",
                    "expanded_url": "https://twitter.com/cy/status/900000000000000002",
                    "display_url": "twitter.com/cy/status/9…",
                },
                {
                    "start": 32,
                    "end": 48,
                    "url": "https://t.co/pic",
                    "expanded_url": "https://twitter.com/ann/status/900000000000000020/video/1",
                    "display_url": "pic.twitter.com/pic",
                    "media_key": "7_900000000000000021",
                },
            ],
        },
        "attachments": {"media_keys": ["7_900000000000000021"]},
        "geo": {"place_id": "aa11", "coordinates": {"type": "Point", "coordinates": [10.75, 59.91]}},
        "public_metrics": {"retweet_count": 1, "reply_count": 2, "like_count": 3, "quote_count": 4},
        "withheld": {"country_codes": ["NO"]},
    },
    "includes": {
        "users": [
            {
                "id": "42",
                "name": "Ann",
                "username": "ann",
                "created_at": "2008-01-15T00:00:00.000Z",
                "profile_image_url": "https://pbs.twimg.com/a.jpg",
                "public_metrics": {
                    "followers_count": 5,
                    "following_count": 6,
                    "tweet_count": 7,
                    "listed_count": 8,
                },
            },
            {"id": "7", "name": "Bo", "username": "bo"},
        ],
        "tweets": [{"id": "900000000000000002", "text": "quoted", "author_id": "9"}],
        "media": [
            {
                "media_key": "7_900000000000000021",
                "type": "video",
                "preview_image_url": "https://pbs.twimg.com/media/x.jpg",
                "width": 10,
                "height": 20,
                "duration_ms": 900,
                "variants": [{"bit_rate": 1, "content_type": "video/mp4", "url": "https://video/x"}],
            }
        ],
        "places": [
            {
                "id": "aa11",
                "full_name": "Oslo, Norway",
                "name": "Oslo",
                "country": "Norway",
                "country_code": "NO",
                "place_type": "city",
                "geo": {"type": "Feature", "bbox": [10.49, 59.81, 10.95, 60.13], "properties": {}},
            }
        ],
    },
    "matching_rules": [{"id": "1"}],
}


def rebuilt(line: bytes) -> bytes | None:
    found = read_line(line, decode_source)
    if not isinstance(found, PostHead):
        return None
    return rebuild.rebuilt(line, found, number_of(found.post.id) or 0)


def v1(line: Json) -> Json:
    made = rebuilt(json.dumps(line).encode())
    assert made is not None
    tweet: Json = orjson.loads(made)
    return tweet


def test_a_post_with_everything() -> None:
    tweet = v1(LINE)
    user = tweet.pop("user")
    assert {name: value for name, value in user.items() if value not in (None, False)} == {
        "id": 42,
        "id_str": "42",
        "name": "Ann",
        "screen_name": "ann",
        "followers_count": 5,
        "friends_count": 6,
        "listed_count": 8,
        "statuses_count": 7,
        "created_at": "Tue Jan 15 00:00:00 +0000 2008",
        "profile_image_url": "http://pbs.twimg.com/a.jpg",
        "profile_image_url_https": "https://pbs.twimg.com/a.jpg",
    }
    quoted = tweet.pop("quoted_status")
    assert (quoted["id"], quoted["text"], quoted["user"]) == (
        900000000000000002,
        "quoted",
        {"id": 9, "id_str": "9"},
    )
    medium = {
        "id": 900000000000000021,
        "id_str": "900000000000000021",
        "indices": [32, 48],
        "media_url": "http://pbs.twimg.com/media/x.jpg",
        "media_url_https": "https://pbs.twimg.com/media/x.jpg",
        "url": "https://t.co/pic",
        "display_url": "pic.twitter.com/pic",
        "expanded_url": "https://twitter.com/ann/status/900000000000000020/video/1",
        "type": "video",
        "sizes": {"large": {"w": 10, "h": 20, "resize": "fit"}},
        "video_info": {
            "duration_millis": 900,
            "variants": [{"bitrate": 1, "content_type": "video/mp4", "url": "https://video/x"}],
        },
    }
    link = {
        "url": "https://t.co/abc",
        "expanded_url": "https://twitter.com/cy/status/900000000000000002",
        "display_url": "twitter.com/cy/status/9…",
    }
    assert tweet == {
        "created_at": "Wed Sep 23 10:00:00 +0000 2026",
        "id": 900000000000000020,
        "id_str": "900000000000000020",
        "text": "@bo see #storm https://t.co/abc https://t.co/pic",
        "truncated": False,
        "entities": {
            "hashtags": [{"text": "storm", "indices": [8, 14]}],
            "urls": [{**link, "indices": [15, 31]}],
            "user_mentions": [{"screen_name": "bo", "name": "Bo", "id": 7, "id_str": "7", "indices": [0, 3]}],
            "symbols": [],
            "media": [medium],
        },
        "extended_entities": {"media": [medium]},
        "source": None,
        "in_reply_to_status_id": 900000000000000001,
        "in_reply_to_status_id_str": "900000000000000001",
        "in_reply_to_user_id": 7,
        "in_reply_to_user_id_str": "7",
        "in_reply_to_screen_name": "bo",
        "geo": {"type": "Point", "coordinates": [59.91, 10.75]},
        "coordinates": {"type": "Point", "coordinates": [10.75, 59.91]},
        "place": {
            "id": "aa11",
            "url": "https://api.twitter.com/1.1/geo/id/aa11.json",
            "place_type": "city",
            "name": "Oslo",
            "full_name": "Oslo, Norway",
            "country_code": "NO",
            "country": "Norway",
            "bounding_box": {
                "type": "Polygon",
                "coordinates": [[[10.49, 59.81], [10.49, 60.13], [10.95, 60.13], [10.95, 59.81]]],
            },
            "attributes": {},
        },
        "contributors": None,
        "is_quote_status": True,
        "quoted_status_id": 900000000000000002,
        "quoted_status_id_str": "900000000000000002",
        "quoted_status_permalink": {
            "url": link["url"],
            "expanded": link["expanded_url"],
            "display": link["display_url"],
        },
        "quote_count": 4,
        "reply_count": 2,
        "retweet_count": 1,
        "favorite_count": 3,
        "favorited": False,
        "retweeted": False,
        "possibly_sensitive": False,
        "filter_level": None,
        "lang": "en",
        "timestamp_ms": str((900000000000000020 >> 22) + 1288834974657),
        "withheld_in_countries": ["NO"],
        "edit_history": {
            "initial_tweet_id": "900000000000000019",
            "edit_tweet_ids": ["900000000000000019", "900000000000000020"],
        },
    }


def test_a_bare_post_has_ids_where_nothing_was_paid_for() -> None:
    tweet = v1({"data": LINE["data"]})
    assert tweet["user"] == {"id": 42, "id_str": "42"}
    assert (tweet["place"], tweet["quoted_status"]) == (None, None)
    assert tweet["quoted_status_id_str"] == "900000000000000002"
    assert tweet["in_reply_to_screen_name"] == "bo"
    assert tweet["entities"]["user_mentions"][0]["name"] is None
    (medium,) = tweet["extended_entities"]["media"]
    assert (medium["id_str"], medium["type"], medium["media_url_https"]) == (
        "900000000000000021",
        "video",
        None,
    )


def test_a_note_is_an_extended_tweet_and_a_repost_has_its_status() -> None:
    note = {"text": "y" * 400 + " #end", "entities": {"hashtags": [{"start": 401, "end": 405, "tag": "end"}]}}
    long = post_fields("y" * 250 + "…", id="900000000000000018", author_id="7", note_tweet=note)
    repost = post_fields("RT @bo: yyy…", referenced_tweets=[{"type": "retweeted", "id": long["id"]}])
    tweet = v1({"data": repost, "includes": {"tweets": [long]}})
    assert (tweet["text"], tweet["truncated"]) == ("RT @bo: yyy…", False)
    inner = tweet["retweeted_status"]
    assert (inner["truncated"], inner["extended_tweet"]["full_text"]) == (True, note["text"])
    assert inner["extended_tweet"]["entities"]["hashtags"] == [{"text": "end", "indices": [401, 405]}]
    assert v1({"data": repost})["retweeted_status"] is None


def test_both_spellings_of_referenced_posts_are_read() -> None:
    repost = post_fields("RT", referenced_posts=[{"type": "retweeted", "id": "5"}])
    assert (
        v1({"data": repost, "includes": {"posts": [{"id": "5", "text": "a"}]}})["retweeted_status"]["text"]
        == "a"
    )


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b'{"data":{}}', b'{"data":{"id":"x"}}', b'{"data":{"id":{}}}']
)
def test_what_cannot_be_rebuilt_is_told(line: bytes) -> None:
    assert rebuilt(line) is None


@pytest.mark.parametrize("an_id", ["007", "-05", "+5", " 5", "1_0", "\u0665", "5.0", "1e3", "", "x"])
def test_an_id_that_is_no_number_is_not_written_as_one(an_id: str) -> None:
    for name in ("id", "author_id", "in_reply_to_user_id"):
        made = rebuilt(post_line(post_fields("a", **{name: an_id})))
        assert made is None or isinstance(orjson.loads(made)[name], int)


@pytest.mark.parametrize("odd", [{"matching_rules": [{"id": 1}]}, {"matching_rules": "1"}])
def test_a_line_with_an_odd_member_that_no_tweet_needs_is_rebuilt(odd: Json) -> None:
    assert v1(LINE | odd) == v1(LINE)


def test_of_two_references_of_a_kind_the_first_counts() -> None:
    references = [{"type": kind, "id": key} for kind, key in (("quoted", "5"), ("quoted", "6"))]
    assert v1({"data": post_fields("a", referenced_tweets=references)})["quoted_status_id"] == 5


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_beyond_the_calendar_is_not_fatal(time: str) -> None:
    assert rebuilt(post_line(post_fields("a", created_at=time))) is None
    author = {"id": "42", "created_at": time}
    assert rebuilt(post_line(post_fields("a"), includes={"users": [author]})) is None


@pytest.mark.parametrize("nobody", [0, -1])
def test_a_user_who_is_nobody_does_not_cost_the_tweet(nobody: int) -> None:
    mention = {"start": 0, "end": 1, "username": "gone", "id": str(nobody)}
    (made,) = v1({"data": post_fields("a", entities={"mentions": [mention]})})["entities"]["user_mentions"]
    assert (made["id"], made["id_str"]) == (nobody, str(nobody))


def test_a_member_that_is_null_is_one_that_lacks() -> None:
    link = {"start": 0, "end": 1, "url": "u", "media_key": "7_5"}
    medium = {"media_key": "7_5", "preview_image_url": "https://a"}
    bare = {"data": post_fields("a", entities={"urls": [link]}), "includes": {"media": [medium]}}
    with_null = json.loads(json.dumps(bare))
    with_null["data"]["display_text_range"] = None
    with_null["includes"]["media"][0] |= {"url": None, "type": None}
    assert v1(with_null) == v1(bare)


def test_counts_that_are_not_told_are_null() -> None:
    tweet = v1({"data": post_fields("a", public_metrics={"like_count": 3, "reply_count": None})})
    names = ("favorite_count", "reply_count", "retweet_count", "quote_count")
    assert [tweet[name] for name in names] == [3, None, None, None]
    assert [v1({"data": {"id": "5"}})[name] for name in names] == [None] * 4


def test_what_is_copied_keeps_its_spelling() -> None:
    line = rb'{"data":{"id":"5","text":"\u00e9 \ud83d\ude00 \/ \"%b%d","lang":"qme"},"includes":{"users":[]}}'
    made = rebuilt(line)
    assert made is not None
    assert rb'"text":"\u00e9 \ud83d\ude00 \/ \"%b%d"' in made
    assert orjson.loads(made)["text"] == 'é 😀 / "%b%d'


@pytest.mark.parametrize("slash", [b"/", rb"\/"])
def test_a_picture_has_an_address_without_encryption_too(slash: bytes) -> None:
    line = (
        b'{"data":{"id":"5","author_id":"42"},"includes":{"users":['
        b'{"id":"42","profile_image_url":"https://pbs.twimg.com/a.jpg"}]}}'
    )
    made = rebuilt(line.replace(b"/", slash))
    assert made is not None
    found = orjson.loads(made)["user"]
    assert found["profile_image_url_https"] == "https://pbs.twimg.com/a.jpg"
    assert found["profile_image_url"] == "http://pbs.twimg.com/a.jpg"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)


@given(st.sampled_from([*LINE["data"], "note_tweet"]), JSON)
def test_no_member_of_a_post_is_fatal(name: str, value: object) -> None:
    made = rebuilt(post_line({**LINE["data"], name: value}))
    assert made is None or isinstance(orjson.loads(made), dict)


# ---- the same timeline, read as v1.1 and as v2

EQUAL = (
    "id", "id_str", "created_at", "timestamp_ms", "lang", "possibly_sensitive", "quote_count", "reply_count",
    "retweet_count", "favorite_count", "in_reply_to_status_id", "in_reply_to_status_id_str",
    "in_reply_to_user_id", "in_reply_to_user_id_str", "in_reply_to_screen_name", "coordinates", "geo",
    "is_quote_status", "quoted_status_id", "quoted_status_id_str", "contributors", "favorited", "retweeted",
    "edit_history",
)  # fmt: skip
EQUAL_OF_USERS = (
    "id", "id_str", "name", "screen_name", "location", "url", "description", "protected", "verified",
    "followers_count", "friends_count", "listed_count", "favourites_count", "statuses_count",
    "profile_image_url", "profile_image_url_https",
)  # fmt: skip
EQUAL_OF_PLACES = (
    "id",
    "name",
    "full_name",
    "country",
    "country_code",
    "place_type",
    "bounding_box",
    "attributes",
)
EQUAL_OF_MEDIA = (
    "id",
    "id_str",
    "media_url",
    "media_url_https",
    "url",
    "display_url",
    "expanded_url",
    "type",
    "indices",
)


def whole(tweet: Json) -> tuple[str, Json, list[Json]]:
    """The whole text with its entities, and the media, wherever a form keeps them."""
    body = tweet.get("extended_tweet") or tweet
    media = (body.get("extended_entities") or {}).get("media") or []
    entities = {name: items for name, items in body["entities"].items() if name != "media"}
    return body.get("full_text") or body["text"], entities, [some(one, EQUAL_OF_MEDIA) for one in media]


def some(members: Json | None, names: tuple[str, ...]) -> Json:
    return {name: (members or {}).get(name) for name in names}


def compare(old: Json, new: Json) -> None:
    assert some(new, EQUAL) == some(old, EQUAL)
    assert some(new["user"], EQUAL_OF_USERS) == some(old["user"], EQUAL_OF_USERS)
    # The sandbox's users are all made on a Monday, whatever the date.
    assert new["user"]["created_at"][4:] == old["user"]["created_at"][4:]
    assert some(new["place"], EQUAL_OF_PLACES) == some(old["place"], EQUAL_OF_PLACES)
    text, entities, media = whole(new)
    old_text, old_entities, old_media = whole(old)
    for mention, old_mention in zip(entities["user_mentions"], old_entities["user_mentions"], strict=True):
        if mention["name"] is None:  # not paid for, or only mentioned in a note
            old_mention["name"] = None
    assert (text, entities, media) == (old_text, old_entities, old_media)
    for name in ("retweeted_status", "quoted_status"):
        assert (name in old) == (name in new)
        if name in old:
            compare(old[name], new[name])


def timeline(count: int) -> Iterator[Made]:
    maker = TweetMaker(3)
    values = [
        *parse_values(FilterType.TRACK, "storm,flood warning,#hail,@bo,$abc,example.com/a,嵐"),
        *parse_values(FilterType.FOLLOW, "12,13"),
        *parse_values(FilterType.LOCATIONS, "10,59,11,60"),
    ]
    maker.set_values(values)
    for _ in range(count):
        yield maker.make(NOW, 0.1)


def read_as_v2(made: Made, expand: str) -> Json:
    post = read_post(made)
    assert post is not None
    line: Json = orjson.loads(post.line(parse_fields(stream_query(expand)), [("1", None)]).json)
    return line


@pytest.mark.long
def test_thousands_of_posts_give_the_tweets_that_v1_would_have_sent() -> None:
    forms: Counter[str] = Counter()
    for made in timeline(4_000):
        compare(orjson.loads(made.json), v1(read_as_v2(made, "all")))
        forms[made.form] += 1
    assert len(forms) > 20


@pytest.mark.parametrize("expand", ["none", "posts", "users"])
def test_what_was_not_paid_for_is_null_and_all_else_the_same(expand: str) -> None:
    for made in timeline(400):
        old, new = orjson.loads(made.json), v1(read_as_v2(made, expand))
        free = [name for name in EQUAL if not name.startswith("in_reply_to_screen")]
        if "retweeted_status" in old and expand != "posts":
            assert new["retweeted_status"] is None
        assert some(new, tuple(free)) == some(old, tuple(free))
        assert whole(new)[0] == whole(old)[0]
        assert new["place"] is None
        if expand == "users":
            assert some(new["user"], EQUAL_OF_USERS) == some(old["user"], EQUAL_OF_USERS)
        else:
            assert new["user"] == {"id": old["user"]["id"], "id_str": old["user"]["id_str"]}
