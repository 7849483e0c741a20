"""Delivered tweets beside what istresearch/traptor wrote of them: members, types and order."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.worker.tweets.enrich import Enricher, without_traptor
from traptor.worker.tweets.received import read_message

LINES = Path(__file__, "../../../data/tweets-v1.1.jsonl").resolve().read_bytes().splitlines()
RULES = {
    "track": {"rule_id": "17", "value": "flood warning", "tag": "flöde", "orig_type": "keyword", "appid": ""},
    "follow": {"rule_id": "a4", "tag": "press", "value": "2244994945", "rule_tag": "own"},
    "locations": {"rule_id": "1", "value": "0,0,1,1", "tag": "london", "rule_value": "own"},
}


def by_the_original(line, rule_type, fields, *, is_found=True):
    """What it wrote, as pairs in order."""
    tweet = json.loads(line)
    added = {"id_str": 0}
    if tweet.get("created_at"):
        created_at = datetime.strptime(tweet["created_at"], "%a %b %d %H:%M:%S %z %Y")
        added["created_at_iso"] = created_at.isoformat()
    about = {"rule_tag": fields.get("tag"), "rule_value": fields["value"]}
    member = {**about, **fields} if rule_type == "locations" else {**fields, **about}
    added["collection_rules"] = [member] if is_found else []
    if not is_found:
        added |= {"rule_type": rule_type, "id": 0, "rule_tag": "Not Found", "rule_value": "Not Found"}
    return in_order(json.dumps(tweet | {"traptor": added}))


def by_us(line, rule_type, fields, *, is_found=True, inferred=False, extras=False):
    rule = read_rule(f"traptor-{rule_type}:0:x", fields, True, Limits())
    assert isinstance(rule, Rule)
    enricher = Enricher([rule], f"{rule_type}:0", 1, "v1.1", rule.group, extras=extras)
    tweet = read_message(line).tweet
    raw = without_traptor(line) if tweet.has_traptor else line
    return enricher.enrich(raw, tweet.created_at, [0] if is_found else [], inferred, 0.0)


def in_order(text):
    return json.loads(text, object_pairs_hook=tuple)


def without(name, pairs):
    return tuple(pair for pair in pairs if pair[0] != name)


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
@pytest.mark.parametrize("rule_type", RULES)
def test_a_tweet_with_its_rule_is_as_the_original_wrote_it(rule_type, line):
    ours = by_us(line, rule_type, RULES[rule_type])
    assert in_order(ours) == by_the_original(line, rule_type, RULES[rule_type])


@pytest.mark.parametrize("rule_type", ["track", "follow"])
def test_and_so_is_one_without_a_rule(rule_type):
    ours = by_us(LINES[0], rule_type, RULES[rule_type], is_found=False)
    assert in_order(ours) == by_the_original(LINES[0], rule_type, RULES[rule_type], is_found=False)


def test_and_one_without_a_date():
    line = b'{"id_str":"9","text":"x","created_at":null}'
    assert in_order(by_us(line, "track", RULES["track"])) == by_the_original(line, "track", RULES["track"])


@pytest.mark.parametrize("rule_type", ["track", "follow"])
def test_and_one_whose_rule_has_no_tag(rule_type):
    fields = {name: text for name, text in RULES[rule_type].items() if name != "tag"}
    ours = by_us(LINES[0], rule_type, fields)
    assert in_order(ours) == by_the_original(LINES[0], rule_type, fields)
    assert b'"rule_tag":null' in ours


def test_with_extras_only_two_members_are_more():
    with_extras = dict(in_order(by_us(LINES[0], "track", RULES["track"], extras=True)))["traptor"]
    plain = dict(in_order(by_us(LINES[0], "track", RULES["track"])))["traptor"]
    assert without("collection", with_extras) == plain
    assert with_extras[-1][0] == "collection"
    found = dict(in_order(by_us(LINES[0], "track", RULES["track"], extras=True, inferred=True)))["traptor"]
    ((*members, inferred),) = dict(found)["collection_rules"]
    assert tuple(members) == dict(plain)["collection_rules"][0]
    assert inferred == ("inferred", True)


def test_what_we_add_is_ascii_without_blanks_between_members():
    ours = by_us(LINES[0], "track", RULES["track"], extras=True)
    added = ours[ours.rindex(b'"traptor":') :]
    assert added.isascii()
    assert b"fl\\u00f6de" in added
    assert not any(pair in added for pair in (b'", ', b'": ', b"}, "))


def test_the_types_of_what_is_added():
    added = json.loads(by_us(LINES[0], "track", RULES["track"], extras=True))["traptor"]
    (rule,) = added["collection_rules"]
    assert {type(text) for text in rule.values()} == {str}
    about = added["collection"]
    types = {"connection": str, "generation": int, "received_at": str, "api": str}
    assert {name: type(value) for name, value in about.items()} == types
