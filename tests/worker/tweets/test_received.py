"""What a line of the stream is taken for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making_tweets import tweet_fields

from traptor.worker.tweets.received import Kind, Message, read_message

DOCUMENTED = [
    (
        {"delete": {"status": {"id": 9, "id_str": "9", "user_id": 42}, "timestamp_ms": "1790000000123"}},
        Kind.DELETE,
    ),
    ({"delete": {"direct_message": {"id": 1, "user_id": 2}}}, Kind.DELETE),
    ({"scrub_geo": {"user_id": 42, "up_to_status_id": 9}}, Kind.SCRUB_GEO),
    ({"limit": {"track": 1234, "timestamp_ms": "1790000000123"}}, Kind.LIMIT),
    ({"status_withheld": {"id": 9, "user_id": 42, "withheld_in_countries": ["DE"]}}, Kind.STATUS_WITHHELD),
    ({"user_withheld": {"id": 42, "withheld_in_countries": ["DE"]}}, Kind.USER_WITHHELD),
    ({"disconnect": {"code": 4, "stream_name": "acct-statuses123", "reason": "stall"}}, Kind.DISCONNECT),
    ({"warning": {"code": "FALLING_BEHIND", "message": "x", "percent_full": 60}}, Kind.WARNING),
    ({"warning": {"code": "FOLLOWS_OVER_LIMIT", "message": "x", "user_id": 42}}, Kind.WARNING),
    ({"friends": [1, 2, 3]}, Kind.FRIENDS),
    ({"friends_str": ["1", "2"]}, Kind.FRIENDS),
    ({"event": "user_update", "created_at": "x", "source": {}, "target": {}}, Kind.EVENT),
    ({"for_user": "42", "message": {}}, Kind.FOR_USER),
    ({"control": {"control_uri": "/1.1/site/c/01_x"}}, Kind.CONTROL),
    ({"new_in_2027": {}}, Kind.UNKNOWN),
    ({}, Kind.UNKNOWN),
    (tweet_fields("hello"), Kind.TWEET),
    ({"id_str": "9", "user": {"id_str": "1"}}, Kind.TWEET),
    ({"id_str": "9", "full_text": "hello"}, Kind.TWEET),
]


def read(value):
    return read_message(json.dumps(value).encode())


@pytest.mark.parametrize(("message", "kind"), DOCUMENTED)
def test_each_documented_kind_is_recognised(message, kind):
    assert read(message).kind is kind


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" \r\n",
        b"{",
        b"[]",
        b"7",
        b"null",
        b'"tweet"',
        b"<html>",
        b"\xff\xfe{\x00}\x00",
        b'{"a":"\xff"}',
    ],
)
def test_what_is_no_json_object_is_broken(line):
    assert read_message(line) == Message(Kind.BROKEN)


@pytest.mark.parametrize("line", [b'{"a":' * 100_000, b'{"quoted_status":' * 900 + b"1" + b"}" * 900])
def test_endless_nesting_is_broken(line):
    assert read_message(line).kind is Kind.BROKEN


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b'"\xff"', b'{"\xc3":1}'])
def test_a_tweet_that_is_no_json_anywhere_is_broken(value):
    """Also in a member that nobody looks at: it would be delivered as it is."""
    assert read_message(b'{"id_str":"1","text":"a","user":null,"extra":%b}' % value).kind is Kind.BROKEN
    assert read_message(b'{"id_str":"1","text":"a","user":5,"extra":%b}' % value).kind is Kind.BROKEN


@pytest.mark.parametrize(
    ("body", "withheld"),
    [
        ({"track": 1234, "timestamp_ms": "1790000000123"}, 1234),
        ({"timestamp_ms": "1790000000123", "follow": 7}, 7),
        ({"track": None}, None),
        ({"track": True}, None),
        ({"track": -1}, None),
        ({"track": 2**63}, None),
        ({"track": 10**30}, None),
        ({}, None),
        (5, None),
    ],
)
def test_a_limit_notice_tells_the_total_whatever_its_name(body, withheld):
    assert read({"limit": body}) == Message(Kind.LIMIT, withheld=withheld)


def test_a_disconnect_tells_code_and_reason():
    message = read({"disconnect": {"code": 7, "stream_name": "x", "reason": "admin logout"}})
    assert message == Message(Kind.DISCONNECT, code=7, reason="admin logout")


def test_a_warning_tells_code_and_how_full_the_queue_is():
    message = read({"warning": {"code": "FALLING_BEHIND", "message": "slow", "percent_full": 60}})
    assert message == Message(Kind.WARNING, code="FALLING_BEHIND", reason="slow", percent_full=60)


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        ({"text": 5}, {"text": "5"}),
        ({"text": None}, {"text": None}),
        ({"user": "ann"}, {"user": None}),
        ({"user": None}, {"user": None}),
        ({"id_str": 900000000000000010}, {"id_str": "900000000000000010"}),
        ({"truncated": "no"}, {"truncated": None}),
        ({"entities": []}, {"entities": None}),
        ({"coordinates": {"coordinates": "here"}}, {}),
        ({"place": {"bounding_box": {"coordinates": [[["x"]]]}}}, {}),
        ({"retweeted_status": 1}, {"retweeted_status": None}),
        ({"quoted_status": {"text": ["x"]}}, {}),
    ],
)
def test_a_tweet_with_an_odd_field_is_still_a_tweet_with_all_its_other_fields(odd, expected):
    message = read(tweet_fields("hello") | odd)
    assert message.kind is Kind.TWEET
    for name, value in ({"created_at": "Wed Sep 23 10:00:00 +0000 2026"} | expected).items():
        assert getattr(message.tweet, name) == value


def test_of_a_list_with_odd_items_the_others_are_kept():
    message = read(
        tweet_fields(entities={"hashtags": [None, {"text": "a"}, 5, {"text": None}, {"text": "b"}]})
    )
    assert [tag.text for tag in message.tweet.entities.hashtags] == ["a", None, "b"]


def test_a_half_surrogate_pair_does_not_lose_a_tweet():
    message = read_message(b'{"id_str":"1","text":"cut \\ud83d"}')
    assert message.tweet.text == "cut ?"


def test_half_a_surrogate_pair_for_a_number_does_not_lose_a_tweet():
    message = read_message(b'{"id_str":"1","text":"a","coordinates":{"coordinates":["\\ud83d",2]}}')
    assert (message.kind, message.tweet.text) == (Kind.TWEET, "a")


members = st.sampled_from(
    [
        "id_str",
        "text",
        "user",
        "screen_name",
        "entities",
        "hashtags",
        "urls",
        "media",
        "coordinates",
        "place",
        "bounding_box",
        "retweeted_status",
        "quoted_status",
        "extended_tweet",
        "full_text",
        "created_at",
        "truncated",
        "traptor",
        "limit",
        "track",
        "disconnect",
        "warning",
        "code",
        "reason",
        "percent_full",
        "delete",
        "friends",
        "event",
        "for_user",
        "control",
    ]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(members, json_values, max_size=8))
def test_any_object_made_of_known_names_is_read(value):
    message = read(value)
    assert message.kind is not Kind.BROKEN
    assert (message.tweet is not None) == (message.kind is Kind.TWEET)


@given(st.binary(max_size=200))
def test_no_bytes_raise(line):
    assert read_message(line).kind in Kind


@given(st.data())
def test_no_damage_to_a_tweet_raises(data):
    line = bytearray(json.dumps(tweet_fields("hello", traptor=1)).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    assert read_message(bytes(line)).kind in Kind
    assert read_message(bytes(line[: data.draw(st.integers(0, len(line)))])).kind in Kind
