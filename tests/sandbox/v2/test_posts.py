"""Posts: X's sample line, each kind of post, the fields asked for, and one timeline read in both ways."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.tweets.maker import Tweet, TweetMaker
from traptor.sandbox.tweets.values import FilterType, parse_values
from traptor.sandbox.v2.fields import KNOWN, Fields, InvalidRequest, parse_fields
from traptor.sandbox.v2.language.rule import parse_rule
from traptor.sandbox.v2.posts import Reads, read_post

ALL = parse_fields(
    [
        (
            "tweet.fields",
            "attachments,author_id,conversation_id,created_at,entities,geo,in_reply_to_user_id,lang,note_tweet,"
            "possibly_sensitive,public_metrics,referenced_tweets",
        ),
        ("expansions", "author_id,in_reply_to_user_id,entities.mentions.username,attachments.media_keys"),
        ("expansions", "referenced_tweets.id,referenced_tweets.id.author_id,geo.place_id"),
        ("place.fields", "country,country_code,geo,name,place_type"),
        ("media.fields", "url"),
    ]
)
NOTHING_ELSE = Fields()
EVERYTHING = parse_fields((name, ",".join(sorted(known))) for name, known in KNOWN.items())


def user(user_id, name, screen_name):
    return {"id": user_id, "id_str": str(user_id), "name": name, "screen_name": screen_name}


def mention(person, *indices):
    return {name: person[name] for name in ("id", "id_str", "name", "screen_name")} | {"indices": [*indices]}


ANN, BO, CY = user(42, "Ann", "ann"), user(7, "Bo", "bo"), user(9, "Cy", "cy")
PLACE = {
    "id": "aa11",
    "place_type": "city",
    "name": "Oslo",
    "full_name": "Oslo, Norway",
    "country_code": "NO",
    "country": "Norway",
    "bounding_box": {
        "type": "Polygon",
        "coordinates": [[[10.49, 59.81], [10.49, 60.13], [10.95, 60.13], [10.95, 59.81]]],
    },
}
LINK = {"url": "https://t.co/abc", "expanded_url": "https://example.org/a", "display_url": "example.org/a"}


def status(status_id, text, author, **members):
    return {
        "id_str": str(status_id),
        "created_at": "Wed Sep 23 10:00:00 +0000 2026",
        "text": text,
        "user": author,
        "lang": "en",
        **members,
    }


QUOTED = status(900000000000000002, "quoted text", CY)
SAMPLE = status(
    900000000000000020,
    "@bo see #storm https://t.co/abc",
    ANN,
    in_reply_to_status_id_str="900000000000000001",
    in_reply_to_user_id=7,
    in_reply_to_user_id_str="7",
    in_reply_to_screen_name="bo",
    entities={
        "hashtags": [{"text": "storm", "indices": [8, 14]}],
        "urls": [LINK | {"indices": [15, 31]}],
        "user_mentions": [mention(BO, 0, 3)],
        "symbols": [],
    },
    coordinates={"type": "Point", "coordinates": [10.75, 59.91]},
    place=PLACE,
    quoted_status_id_str="900000000000000002",
    quoted_status=QUOTED,
)


def post(content):
    found = read_post(Tweet(1, (), "", orjson.dumps(content)))
    assert found is not None
    return found


def line(content, fields=ALL, matching=(("1", "t"),)):
    return orjson.loads(post(content).line(fields, matching).json)


def finds(value, content):
    return parse_rule(value).matches(post(content).facts)


def test_a_line_looks_like_the_sample():
    assert line(SAMPLE, matching=[("1273026480692322304", "t:9")]) == {
        "data": {
            "id": "900000000000000020",
            "text": "@bo see #storm https://t.co/abc",
            "author_id": "42",
            "created_at": "2026-09-23T10:00:00.000Z",
            "edit_history_tweet_ids": ["900000000000000020"],
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
                    {"start": 15, "end": 31, **LINK, "unwound_url": "https://example.org/a", "status": 200}
                ],
            },
            "geo": {"place_id": "aa11", "coordinates": {"type": "Point", "coordinates": [10.75, 59.91]}},
            "public_metrics": {
                "retweet_count": 0,
                "reply_count": 0,
                "like_count": 0,
                "quote_count": 0,
                "bookmark_count": 0,
                "impression_count": 0,
            },
        },
        "includes": {
            "users": [
                {"id": "42", "name": "Ann", "username": "ann"},
                {"id": "7", "name": "Bo", "username": "bo"},
                {"id": "9", "name": "Cy", "username": "cy"},
            ],
            "tweets": [
                {
                    "id": "900000000000000001",
                    "text": "…",
                    "author_id": "7",
                    "created_at": line(SAMPLE)["includes"]["tweets"][0]["created_at"],
                    "edit_history_tweet_ids": ["900000000000000001"],
                    "conversation_id": "900000000000000001",
                    "lang": "und",
                },
                {
                    "id": "900000000000000002",
                    "text": "quoted text",
                    "author_id": "9",
                    "created_at": "2026-09-23T10:00:00.000Z",
                    "edit_history_tweet_ids": ["900000000000000002"],
                    "conversation_id": "900000000000000002",
                    "lang": "en",
                    "possibly_sensitive": False,
                    "public_metrics": line(SAMPLE)["data"]["public_metrics"],
                },
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
        "matching_rules": [{"id": "1273026480692322304", "tag": "t:9"}],
    }


def test_without_fields_only_the_defaults_come():
    assert line(SAMPLE, NOTHING_ELSE, [("5", None), ("6", "")]) == {
        "data": {
            "id": "900000000000000020",
            "text": "@bo see #storm https://t.co/abc",
            "edit_history_tweet_ids": ["900000000000000020"],
        },
        "matching_rules": [{"id": "5"}, {"id": "6"}],
    }


def test_an_expansion_shows_the_member_that_it_expands():
    found = line(SAMPLE, parse_fields([("expansions", "author_id")]))
    assert found["data"]["author_id"] == "42"
    assert found["includes"] == {"users": [{"id": "42", "name": "Ann", "username": "ann"}]}


def test_the_reads_of_a_line_are_what_it_includes():
    found = post(SAMPLE)
    assert found.line(NOTHING_ELSE, ()).reads == Reads("900000000000000020")
    assert found.line(ALL, ()).reads == Reads(
        "900000000000000020", ("900000000000000001", "900000000000000002"), 3
    )


def test_a_referenced_post_that_is_gone_is_a_partial_error():
    gone = {name: value for name, value in SAMPLE.items() if name != "quoted_status"}
    found = line(gone)
    assert [error["value"] for error in found["errors"]] == ["900000000000000002"]
    assert found["errors"][0]["type"].endswith("/resource-not-found")
    assert found["data"]["referenced_tweets"][1] == {"type": "quoted", "id": "900000000000000002"}
    assert "errors" not in line(gone, NOTHING_ELSE)


LONG = " ".join(f"word{number}" for number in range(100))
NOTE = status(
    900000000000000030,
    LONG[:110],
    ANN,
    truncated=True,
    extended_tweet={
        "full_text": f"#first {LONG} #last &amp; more",
        "entities": {
            "hashtags": [
                {"text": "first", "indices": [0, 6]},
                {"text": "last", "indices": [8 + len(LONG), 13 + len(LONG)]},
            ]
        },
    },
)


def test_a_note_is_cut_in_the_text_and_whole_in_note_tweet():
    data = line(NOTE)["data"]
    assert data["note_tweet"]["text"] == NOTE["extended_tweet"]["full_text"]
    assert [tag["tag"] for tag in data["note_tweet"]["entities"]["hashtags"]] == ["first", "last"]
    assert len(data["text"]) <= 280
    assert [tag["tag"] for tag in data["entities"]["hashtags"]] == ["first"]
    (link,) = data["entities"]["urls"]
    assert data["text"][link["start"] : link["end"]] == link["url"]
    assert data["text"].startswith("#first word0 word1 ")
    assert data["text"].endswith(f"… {link['url']}")


def test_a_text_between_140_and_280_is_no_note():
    text = LONG[:200]
    content = status(5, LONG[:110], ANN, truncated=True, extended_tweet={"full_text": text, "entities": {}})
    assert line(content)["data"]["text"] == text
    assert "note_tweet" not in line(content)["data"]


def test_no_line_has_a_null_in_it(timeline):
    plain = status(5, LONG, ANN, truncated=True, extended_tweet={"full_text": LONG, "entities": {}})
    for found in (post(plain), *map(read_post, timeline[:300])):
        assert b"null" not in found.line(EVERYTHING, [("1", None)]).json


@pytest.mark.parametrize("value", ["word99", "#last", '"word98 word99"', '"last & more"'])
def test_rules_find_what_stands_beyond_the_cut(value):
    repost = status(40, "RT @ann: #first…", BO, retweeted_status=NOTE)
    quote = status(40, "see", BO, quoted_status_id_str=NOTE["id_str"], quoted_status=NOTE)
    assert [finds(value, content) for content in (NOTE, repost, quote)] == [True, True, True]


def test_rules_do_not_find_the_link_of_a_note_to_itself():
    assert not finds("url:status", NOTE)
    assert not finds("word1 has:links", NOTE)


def test_a_repost_has_its_own_cut_text_and_refers_to_the_original():
    repost = status(
        40,
        "RT @ann: #first…",
        BO,
        retweeted_status=NOTE | {"place": PLACE},
        entities={"user_mentions": [mention(ANN, 3, 7)]},
    )
    found = line(repost)
    assert found["data"]["text"] == "RT @ann: #first…"
    assert found["data"]["referenced_tweets"] == [{"type": "retweeted", "id": NOTE["id_str"]}]
    assert found["data"]["author_id"] == "7"
    assert found["includes"]["tweets"][0]["note_tweet"]["text"] == NOTE["extended_tweet"]["full_text"]
    assert {one["id"] for one in found["includes"]["users"]} == {"42", "7"}
    assert "note_tweet" not in found["data"]
    for value in ("from:bo", "retweets_of:42", f"retweets_of_tweet_id:{NOTE['id_str']}", "@ann", "ann"):
        assert finds(value, repost), value
    for value in ("from:42", "to:42", "word1 -is:retweet", "place_country:NO", "word1 has:geo"):
        assert not finds(value, repost), value


def test_a_reply_by_hand_has_no_parent():
    content = status(40, "@bo hello", ANN, in_reply_to_user_id=7, in_reply_to_user_id_str="7")
    content["in_reply_to_screen_name"] = "bo"
    data = line(content)["data"]
    assert data["in_reply_to_user_id"] == "7"
    assert data["conversation_id"] == "40"
    assert "referenced_tweets" not in data
    assert finds("to:7", content)
    assert not finds("hello is:reply", content)


def test_a_photo_is_an_attachment_and_a_link():
    photo = {
        "id_str": "900000000000000021",
        "type": "photo",
        "media_url_https": "https://pbs.twimg.com/media/x.jpg",
        "url": "https://t.co/pic",
        "expanded_url": "https://x.com/ann/status/40/photo/1",
        "display_url": "pic.x.com/pic",
        "indices": [4, 20],
    }
    content = status(40, "see https://t.co/pic", ANN, entities={"media": [photo]})
    content["extended_entities"] = {"media": [photo]}
    found = line(content)
    assert found["data"]["attachments"] == {"media_keys": ["3_900000000000000021"]}
    assert found["data"]["entities"]["urls"][0]["media_key"] == "3_900000000000000021"
    assert found["includes"]["media"] == [
        {"media_key": "3_900000000000000021", "type": "photo", "url": "https://pbs.twimg.com/media/x.jpg"}
    ]
    for value in ("see has:media", "see has:images", "see has:links", "url:photo"):
        assert finds(value, content), value


def test_an_edited_post_lists_its_versions():
    content = status(41, "better", ANN, edit_history={"edit_tweet_ids": ["40", "41"]})
    assert line(content, NOTHING_ELSE)["data"]["edit_history_tweet_ids"] == ["40", "41"]


@pytest.mark.parametrize("content", [{"delete": {}}, [], None, {"id_str": "1"}, {"id_str": "1", "user": 5}])
def test_a_message_that_is_no_tweet_is_no_post(content):
    assert read_post(Tweet(None, (), "", orjson.dumps(content))) is None


def test_half_a_surrogate_pair_is_escaped():
    found = read_post(Tweet(1, (), "", json.dumps(status(40, "half \ud83d storm", ANN)).encode()))
    assert (
        json.loads(found.line(NOTHING_ELSE, [("5", "half \ud83d")]).json)["data"]["text"]
        == "half \ud83d storm"
    )
    assert parse_rule("storm").matches(found.facts)


def places(content, path=()):
    """All paths to the parts of a JSON value."""
    yield path
    for name, part in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(part, (dict, list)):
            yield from places(part, (*path, name))
        else:
            yield (*path, name)


def changed(content, path, part):
    if not path:
        return part
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = changed(content[path[0]], path[1:], part)
    return copy


ANY_RULES = [
    parse_rule("storm -is:retweet"),
    parse_rule("from:42 OR to:7 OR bio:x OR place:oslo"),
    parse_rule("bounding_box:[10.6 59.85 10.9 60.0] OR url_contains:a"),
]
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PARTS = st.none() | NUMBERS | st.text() | st.sampled_from([[], {}, [{}]])


@given(st.sampled_from(sorted(places(SAMPLE), key=str)), PARTS)
def test_any_replayed_message_is_a_post_or_none(path, part):
    found = read_post(Tweet(1, (), "", json.dumps(changed(SAMPLE, path, part)).encode()))
    if found is not None:
        assert json.loads(found.line(ALL, [("1", None)]).json)["data"]["id"] == found.id
        assert all(rule.matches(found.facts) in (True, False) for rule in ANY_RULES)


def test_unknown_fields_are_refused_by_name():
    with pytest.raises(InvalidRequest) as refused:
        parse_fields([("tweet.fields", "text,nope"), ("expansions", "author"), ("backfill_minutes", "5")])
    problem = refused.value.problem()
    assert problem["title"] == "Invalid Request"
    assert problem["type"].endswith("/invalid-request")
    assert [error["parameters"] for error in problem["errors"]] == [
        {"tweet.fields": ["nope"]},
        {"expansions": ["author"]},
    ]


NOW_S = 1_790_000_000.5
PHRASES = (
    "flood warning,storm,#ice,#ice_age,@coast,@west_coast_,$twtr,helm's-alee,news.example/today,żółw,"
    "fish & chips,über"
)
VALUES = [
    *parse_values(FilterType.TRACK, PHRASES),
    *parse_values(FilterType.FOLLOW, "12,345678901234567"),
    *parse_values(FilterType.LOCATIONS, "-10,20,5,40,100,-45,100.5,-44"),
]


@pytest.fixture(scope="module")
def timeline():
    maker = TweetMaker(1)
    maker.set_values(VALUES)
    return [maker.make(NOW_S + n / 50, 0.1) for n in range(1500)]


def test_one_timeline_reads_the_same_as_v1_and_v2(timeline):
    for tweet in timeline:
        old = orjson.loads(tweet.json)
        found = read_post(tweet)
        new = orjson.loads(found.line(ALL, ()).json)
        data = new["data"]
        whole = old.get("extended_tweet", {}).get("full_text") or old["text"]
        assert (found.id, data["id"]) == (old["id_str"], str(tweet.id))
        assert data.get("note_tweet", data)["text"] == whole
        assert data["author_id"] == old["user"]["id_str"]
        assert new["includes"]["users"][0]["username"] == old["user"]["screen_name"]
        for kind in ("hashtags", "mentions", "cashtags", "urls"):
            for entity in data.get("entities", {}).get(kind, []):
                part = data["text"][entity["start"] : entity["end"]]
                assert part.lstrip("#@$") == entity.get("tag", entity.get("username", entity.get("url")))


def test_posts_are_found_by_the_clauses_of_what_they_are_made_for(timeline):
    clauses = {
        value: f'"{value.text}" OR url:"{value.text}"' for value in VALUES if value.type is FilterType.TRACK
    }
    clauses |= {
        value: f"from:{value.text} OR to:{value.text} OR retweets_of:{value.text}"
        for value in VALUES
        if value.type is FilterType.FOLLOW
    }
    clauses[VALUES[0]] = "(flood OR url:flood) (warning OR url:warning)"
    for value in VALUES:
        if value.text[0] in "#@$":
            clauses[value] = value.text
    clauses[next(value for value in VALUES if "/" in value.text)] = 'url:"news.example/today"'
    clauses[next(value for value in VALUES if "&" in value.text)] = "fish chips"
    rules = {value: parse_rule(clause) for value, clause in clauses.items()}
    judged = 0
    for tweet in timeline:
        facts = read_post(tweet).facts
        for value in rules.keys() & set(tweet.values):
            assert rules[value].matches(facts), (value, tweet.form, tweet.json)
            judged += 1
    assert judged > 500


def test_noise_is_found_by_nothing(timeline):
    rules = [parse_rule("storm OR flood OR warning OR #ice OR from:12 OR to:12 OR retweets_of:12")]
    for tweet in timeline:
        if not tweet.values:
            assert not any(rule.matches(read_post(tweet).facts) for rule in rules)
