"""The form of the delivered tweet."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making_tweets import rule, tweet_fields
from support.paths import DATA

from traptor.common.rules.rule import GroupId
from traptor.worker.tweets.enrich import Enricher, without_traptor
from traptor.worker.tweets.received import read_message
from traptor.worker.tweets.timestamps import iso_of_created_at
from traptor.worker.tweets.truncated import truncated_body

LINES = (DATA / "tweets-v1.1.jsonl").read_bytes().splitlines()
RULES = [rule("track:0", 1, "storm"), rule("track:0", 2, "flood", tag='"quoted" ünï tag')]
RECEIVED_AT_S = 1_790_157_600.25
COLLECTION = {
    "connection": "track:0",
    "generation": 3,
    "received_at": "2026-09-23T10:00:00.250+00:00",
    "api": "v1.1",
}


def enricher(rules=RULES, group="track:0", **options):
    return Enricher(rules, "track:0", 3, "v1.1", GroupId.parse(group) if group else None, **options)


def enriched(line, matched=(0,), inferred=False, by=None):
    tweet = read_message(line).tweet
    raw = without_traptor(line) if tweet.has_traptor else line
    return (by or enricher()).enrich(raw, tweet.created_at, matched, inferred, RECEIVED_AT_S)


def delivered(matched=(0,), *, inferred=False, line=None, by=None, **members):
    raw = line if line is not None else json.dumps(tweet_fields("x", **members)).encode()
    return json.loads(enriched(raw, matched, inferred, by))


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_real_tweet_keeps_every_byte_and_gets_one_member_at_its_end(line):
    output = enriched(line, [0, 1])
    assert output[: len(line) - 1] == line[:-1]
    before, after = json.loads(line), json.loads(output)
    assert list(after) == [*before, "traptor"]
    added = after.pop("traptor")
    assert after == before
    assert list(added) == ["id_str", "created_at_iso", "collection_rules", "collection"]
    assert added["id_str"] == 0
    assert added["collection_rules"] == [json.loads(one.json) for one in RULES]
    assert added["collection"] == COLLECTION
    assert list(added["collection"]) == list(COLLECTION)


def test_the_times_of_real_tweets_are_told_in_iso():
    assert delivered(line=LINES[0])["traptor"]["created_at_iso"] == "2016-03-10T23:12:12+00:00"


def test_a_rule_keeps_its_own_fields_with_tag_and_value():
    assert delivered([1])["traptor"]["collection_rules"] == [
        {"rule_id": "2", "value": "flood", "rule_tag": '"quoted" ünï tag', "rule_value": "flood"}
    ]


def test_an_inferred_rule_says_so_and_keeps_its_fields():
    (found,) = delivered([1], inferred=True)["traptor"]["collection_rules"]
    assert found == json.loads(RULES[1].json) | {"inferred": True}


def test_without_a_match_four_members_say_so():
    added = delivered(())["traptor"]
    assert added == {
        "id_str": 0,
        "created_at_iso": "2026-09-23T10:00:00+00:00",
        "collection_rules": [],
        "rule_type": "track",
        "id": 0,
        "rule_tag": "Not Found",
        "rule_value": "Not Found",
        "collection": COLLECTION,
    }


def test_without_a_match_on_a_connection_of_several_groups_there_is_no_id():
    rules = [rule("track:0", 1, "storm"), rule("track:1", 1, "flood")]
    added = delivered((), by=enricher(rules, group=None))["traptor"]
    assert (added["id_str"], added["id"], added["rule_type"]) == (None, None, "track")
    added = delivered((), by=enricher([*rules, rule("follow:0", 1, "7")], group=None))["traptor"]
    assert (added["id_str"], added["id"], added["rule_type"]) == (None, None, None)


def test_the_id_is_that_of_the_group_whose_rule_matched_first():
    rules = [rule("track:12", 1, "storm"), rule("track:news", 1, "flood")]
    assert delivered([0, 1], by=enricher(rules, group=None))["traptor"]["id_str"] == 12
    assert delivered([1], by=enricher(rules, group=None))["traptor"]["id_str"] == "news"


@pytest.mark.parametrize(
    ("group_id", "shown"), [("0", 0), ("007", 7), ("-5", -5), ("1_0", "1_0"), ("a", "a")]
)
def test_an_id_is_a_number_where_it_is_numeric(group_id, shown):
    one = rule(f"track:{group_id}", 1, "storm")
    assert delivered(by=enricher([one], group=f"track:{group_id}"))["traptor"]["id_str"] == shown


@pytest.mark.parametrize("blanks", [b"\r\n", b" ", b"\n\n", b"\t "])
def test_blanks_after_the_tweet_are_dropped(blanks):
    assert delivered(line=LINES[0] + blanks) == delivered(line=LINES[0])


def test_a_member_traptor_that_came_with_the_tweet_is_replaced():
    line = b'{"id_str":"9","traptor":{"id_str":5,"x":[{"y":"}"}]},"text":"x","n":1234567890.10,"e":"\\u00e9"}'
    raw = enriched(line)
    assert raw.startswith(b'{"id_str":"9","text":"x","n":1234567890.10,"e":"\\u00e9","traptor":{"id_str":0,')
    assert json.loads(raw)["traptor"]["id_str"] == 0


@pytest.mark.parametrize("member", [None, 5, "x", [], {}])
def test_whatever_it_holds(member):
    assert delivered(traptor=member) == delivered()


def test_also_in_a_tweet_with_half_a_surrogate_pair():
    line = b'{"id_str":"9","traptor":1,"text":"\\ud83d"}'
    assert delivered(line=line)["traptor"]["id_str"] == 0
    assert delivered(line=line)["text"] == "\ud83d"


def test_a_number_beyond_all_floats_beside_it_stays_json():
    line = b'{"id_str":"9","traptor":1,"text":"\\ud83d","most":1e999,"least":-1e999}'
    raw = enriched(line)
    assert b"Infinity" not in raw
    assert json.loads(raw)["most"] == -json.loads(raw)["least"] == sys.float_info.max


def test_the_word_traptor_elsewhere_changes_nothing():
    line = json.dumps(
        tweet_fields('"traptor"', quoted_status={"traptor": 1}, entities={"hashtags": [{"text": "traptor"}]})
    )
    output = enriched(line.encode())
    assert output.startswith(line[:-1].encode())


@pytest.mark.parametrize(
    ("created_at", "iso"),
    [
        ("Wed Sep 23 10:00:00 +0000 2026", "2026-09-23T10:00:00+00:00"),
        ("Mon Feb 29 23:59:59 +0000 2016", "2016-02-29T23:59:59+00:00"),
        ("Wed Sep 23 10:00:00 -0330 2026", "2026-09-23T10:00:00-03:30"),
        ("2026-09-23T10:00:00.000Z", "2026-09-23T10:00:00+00:00"),
        ("2026-09-23T10:00:00", "2026-09-23T10:00:00+00:00"),
        ("Tue Feb 30 10:00:00 +0000 2026", None),
        ("Wed Sep 23 25:00:00 +0000 2026", None),
        ("Wed Sep 23 10:00:00 +9900 2026", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (5, None),
        ({}, None),
    ],
)
def test_created_at_in_iso_where_there_is_a_time(created_at, iso):
    added = delivered(created_at=created_at)["traptor"]
    assert added.get("created_at_iso") == iso
    assert ("created_at_iso" in added) is (iso is not None)


def test_a_tweet_without_created_at_gets_none():
    added = delivered(line=b'{"id_str":"9","text":"x"}')["traptor"]
    assert list(added) == ["id_str", "collection_rules", "collection"]


def test_without_extras_there_is_only_what_the_original_added():
    plain = enricher(extras=False)
    assert list(delivered([0], by=plain)["traptor"]) == ["id_str", "created_at_iso", "collection_rules"]
    (found,) = delivered([1], inferred=True, by=plain)["traptor"]["collection_rules"]
    assert found == json.loads(RULES[1].json)
    assert list(delivered((), by=plain)["traptor"]) == [
        "id_str",
        "created_at_iso",
        "collection_rules",
        "rule_type",
        "id",
        "rule_tag",
        "rule_value",
    ]


def test_rules_that_are_too_large_together_are_cut_to_their_ids():
    rules = [rule("track:0", n, "storm", tag="t" * 400) for n in range(10)]
    told = []
    by = enricher(rules, most_bytes=3000, on_truncated=told.append)
    assert delivered([3], by=by)["traptor"]["collection_rules"] == [json.loads(rules[3].json)]
    assert told == []
    added = delivered(range(10), by=by)["traptor"]
    assert added["collection_rules"] == [{"rule_id": str(n), "truncated": True} for n in range(10)]
    assert added["collection"] == COLLECTION
    assert told == [10]
    (first, *_) = delivered(range(10), inferred=True, by=by)["traptor"]["collection_rules"]
    assert first == {"rule_id": "0", "truncated": True, "inferred": True}


def test_a_tweet_that_is_itself_too_large_and_matched_nothing_is_left_alone():
    told = []
    by = enricher(most_bytes=10, on_truncated=told.append)
    assert delivered((), by=by)["traptor"]["rule_tag"] == "Not Found"
    assert told == []


@pytest.mark.parametrize("inferred", [False, True])
@pytest.mark.parametrize("extras", [False, True])
def test_a_delivered_tweet_can_be_cut_afterwards(inferred, extras):
    rules = [rule("track:0", n, "storm", tag='\\","traptor":{"' * 40) for n in range(3)]
    raw = json.dumps(tweet_fields("x", quoted_status={"traptor": {"collection_rules": [1]}})).encode()
    whole = enriched(raw, [0, 2], inferred, enricher(rules, extras=extras))
    cut = enriched(raw, [0, 2], inferred, enricher(rules, extras=extras, most_bytes=1))
    assert truncated_body(whole) == cut
    assert truncated_body(cut) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"delete":{"status":{"id":1}}}',
        b'{"id_str":"1","quoted_status":{"id_str":"2","traptor":{"collection_rules":[{"rule_id":"1"}]}}}',
        b'{"id_str":"1","traptor":5}',
        b'{"id_str":"1","traptor":{"collection_rules":[5]}}',
        b'{"id_str":"1","traptor":{"collection_rules":[]}}',
        b"",
        pytest.param(b'{"delete":1,"traptor":' + b"[" * 2_000 + b"]" * 2_000 + b"}", id="deep"),
    ],
)
def test_what_is_no_tweet_of_ours_is_not_cut(body):
    assert truncated_body(body) is None


@given(st.text(max_size=40))
def test_no_created_at_raises(text):
    assert iso_of_created_at(text) is None or "T" in iso_of_created_at(text)


@given(st.floats(0, 4e9))
def test_received_at_is_told_in_milliseconds(time_s):
    raw = json.dumps(tweet_fields()).encode()
    output = json.loads(enricher().enrich(raw, None, [], False, time_s))
    received_at = output["traptor"]["collection"]["received_at"]
    assert len(received_at) == len(COLLECTION["received_at"])
