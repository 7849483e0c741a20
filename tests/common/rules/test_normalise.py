"""Hashes in Redis become rules, or say why they do not."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.rules.normalise import check_fields, decode_fields, parse_key, read_rule
from traptor.common.rules.rule import GroupId, Inactive, Limits, Rejected, Rule, RuleType, fingerprint

TRACK = GroupId.parse("track:0")
FIELDS = {"rule_id": "5", "value": "Flood  Warning", "tag": "Floods", "colour": "blue", "appid": ""}


def read(key: str = "traptor-track:0:5", honour_status: bool = True, **fields: str):
    return read_rule(key, {**FIELDS, **fields}, honour_status, Limits())


def without(name: str) -> dict[str, str]:
    return {other: text for other, text in FIELDS.items() if other != name}


def test_a_usable_rule() -> None:
    rule = read()
    assert isinstance(rule, Rule)
    assert (rule.key, rule.rule_id, rule.group, rule.values) == (
        "traptor-track:0:5",
        "5",
        TRACK,
        ("flood warning",),
    )


def test_the_json_has_every_field_as_it_is_and_what_the_original_adds() -> None:
    rule = read()
    assert isinstance(rule, Rule)
    assert json.loads(rule.json) == {**FIELDS, "rule_tag": "Floods", "rule_value": "Flood  Warning"}
    assert rule.json.endswith(b'"rule_tag":"Floods","rule_value":"Flood  Warning"}')


def test_a_missing_tag_is_null_and_a_missing_rule_id_is_the_rest_of_the_key() -> None:
    rule = read_rule("traptor-track:0:5:b", {"value": "x"}, True, Limits())
    assert isinstance(rule, Rule)
    assert rule.rule_id == "5:b"
    assert json.loads(rule.json) == {"value": "x", "rule_id": "5:b", "rule_tag": None, "rule_value": "x"}


def test_an_empty_tag_stays_empty() -> None:
    rule = read(tag="")
    assert isinstance(rule, Rule)
    assert json.loads(rule.json)["rule_tag"] == ""


def test_a_locations_rule_begins_with_what_the_original_adds() -> None:
    fields = {"rule_id": "5", "value": "0,0,1,1", "tag": "a", "rule_tag": "own"}
    rule = read_rule("traptor-locations:0:5", fields, True, Limits())
    assert isinstance(rule, Rule)
    assert list(json.loads(rule.json)) == ["rule_tag", "rule_value", "rule_id", "value", "tag"]
    assert json.loads(rule.json)["rule_tag"] == "own"


def test_the_json_is_ascii_with_escapes_as_python_makes_them() -> None:
    rule = read(tag="grüße 🌊")
    assert isinstance(rule, Rule)
    assert b'"tag":"gr\\u00fc\\u00dfe \\ud83c\\udf0a"' in rule.json
    assert json.loads(rule.json)["rule_tag"] == "grüße 🌊"


@pytest.mark.parametrize(
    ("key", "group", "rest"),
    [
        ("traptor-track:0:5", "track:0", "5"),
        ("traptor-follow:east-1:a:b:c", "follow:east-1", "a:b:c"),
        ("traptor-locations:0:1", "locations:0", "1"),
        ("traptor-location:0:1", "locations:0", "1"),
        ("traptor-track:0:", "track:0", ""),
    ],
)
def test_keys_are_split_at_the_first_two_colons(key: str, group: str, rest: str) -> None:
    assert parse_key(key) == (GroupId.parse(group), rest)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "traptor-track",
        "traptor-track:0",
        "track:0:5",
        "traptor-geo:0:5",
        "traptor-track:a b:5",
        "traptor-track::5",
        f"traptor-track:{'9' * 101}:5",
    ],
)
def test_other_keys_are_no_rules(key: str) -> None:
    with pytest.raises(ValueError, match=r"not a rule's key|not a group|is not a type of rule"):
        parse_key(key)
    found = read_rule(key, FIELDS, True, Limits())
    assert isinstance(found, Rejected)
    assert (found.key, found.group) == (key, None)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("description", "x" * 300_000),
        ("tag", "x" * 140_000),  # it stands twice
        ("tag", "\u4e00" * 30_000),  # each takes six bytes
        ("description", '"' * 140_000),
    ],
)
def test_a_rule_too_large_for_every_tweet_to_carry_it_is_rejected(field: str, text: str) -> None:
    assert isinstance(read(value="storm", **{field: text[: len(text) // 2]}), Rule)
    found = read(value="storm", **{field: text})
    assert isinstance(found, Rejected)
    assert "bytes as JSON" in found.reason


def test_a_long_key_is_cut_where_it_is_shown() -> None:
    assert Rejected("k" * 10_000, None, "").shown_key == "k" * 197 + "..."
    assert Rejected("k" * 200, None, "").shown_key == "k" * 200


@pytest.mark.parametrize("word", ["hashtag", "Hashtag", " HASHTAG ", "\ufeffhashtag\u200f"])
def test_a_hashtag_rule_is_told_by_orig_type(word: str) -> None:
    rule = read(value="Storm surge", orig_type=word)
    assert isinstance(rule, Rule)
    assert rule.values == ("#storm #surge",)
    assert json.loads(rule.json)["rule_value"] == "Storm surge"


def test_orig_type_means_nothing_for_other_types() -> None:
    rule = read("traptor-follow:0:5", value="42", orig_type="hashtag")
    assert isinstance(rule, Rule)
    assert rule.values == ("42",)


@pytest.mark.parametrize("status", ["", "active", "Active", " ACTIVE ", "active\u200b"])
def test_active_rules_are_streamed(status: str) -> None:
    assert isinstance(read(status=status), Rule)


@pytest.mark.parametrize("status", ["inactive", "paused", "0"])
def test_any_other_status_switches_a_rule_off_if_it_is_honoured(status: str) -> None:
    assert read(status=status) == Inactive("traptor-track:0:5", TRACK, status)
    assert isinstance(read(status=status, honour_status=False), Rule)
    assert read(status=status, value="") == Inactive("traptor-track:0:5", TRACK, status)


@pytest.mark.parametrize(
    ("key", "fields", "reason"),
    [
        ("traptor-track:0:5", without("value"), "the field value is missing"),
        ("traptor-track:0:", without("rule_id"), "neither the key nor the field rule_id"),
        ("traptor-track:0:5", {**FIELDS, "value": "y" * 61}, "61 bytes"),
        ("traptor-follow:0:5", FIELDS, "'Flood  Warning' is not a numeric user id"),
        ("traptor-location:0:5", {**FIELDS, "value": "1,2,3"}, "a box has four"),
        ("traptor-track:0:5", {**FIELDS, "value": ",".join(f"w{n}" for n in range(401))}, "401 values"),
    ],
)
def test_an_unusable_rule_is_rejected_with_its_reason(key: str, fields: dict[str, str], reason: str) -> None:
    found = read_rule(key, fields, True, Limits())
    assert isinstance(found, Rejected)
    assert (found.key, found.group) == (key, parse_key(key)[0])
    assert reason in found.reason


def test_the_limits_are_those_of_the_rules_type() -> None:
    five_boxes = ",".join(f"{n},0,{n + 1},1" for n in range(5))
    assert isinstance(read("traptor-locations:0:5", value=five_boxes), Rule)
    found = read_rule("traptor-locations:0:5", {"value": five_boxes}, True, Limits(locations=4))
    assert isinstance(found, Rejected)


@given(st.text(), st.dictionaries(st.text(), st.text()), st.booleans())
def test_whatever_stands_in_redis_gives_an_answer(
    key: str, fields: dict[str, str], honour_status: bool
) -> None:
    found = read_rule(key, fields, honour_status, Limits())
    assert isinstance(found, Rejected)


@given(
    st.sampled_from(["follow", "track", "locations", "location"]),
    st.text(),
    st.dictionaries(st.sampled_from(["rule_id", "value", "tag", "orig_type", "status", "x"]), st.text()),
)
def test_whatever_a_rule_is_made_of_its_json_can_be_read(
    type_text: str, rest: str, fields: dict[str, str]
) -> None:
    found = read_rule(f"traptor-{type_text}:0:{rest}", fields, True, Limits())
    if isinstance(found, Rule):
        member = orjson.loads(found.json)
        kept = {name: text for name, text in fields.items() if name != "rule_id"}
        assert member == kept | {
            "rule_id": fields.get("rule_id") or rest,
            "rule_tag": fields.get("tag"),
            "rule_value": fields["value"],
        }
        assert found.json.isascii()


def test_bytes_become_text() -> None:
    assert decode_fields({b"value": "é".encode(), b"x\xff": b"\xfe"}) == {"value": "é", "x\ufffd": "\ufffd"}


@pytest.mark.parametrize("name", ["rule_id", "value", "tag", "orig_type", "status"])
def test_fields_that_matter_must_be_utf_8(name: str) -> None:
    with pytest.raises(ValueError, match=f"field {name} is not UTF-8"):
        decode_fields({name.encode(): b"\xff"})


def test_the_fingerprint_knows_every_change_and_no_order() -> None:
    one, two = read(), read("traptor-track:0:6", rule_id="6")
    assert isinstance(one, Rule)
    assert isinstance(two, Rule)
    assert fingerprint([one, two]) == fingerprint([two, one])
    others = [read(tag="other"), read(value="flood"), read(orig_type="hashtag"), read("traptor-track:0:7")]
    prints = {fingerprint([rule]) for rule in (one, two, *others) if isinstance(rule, Rule)}
    assert len(prints | {fingerprint([])}) == 7


@given(
    st.sampled_from(RuleType),
    st.dictionaries(
        st.sampled_from(["value", "tag", "orig_type", "description", "rule_id"]),
        st.one_of(
            st.sampled_from(["12,13", "flood, storm", "1,2,3,4", "hashtag", "x" * 61, "\u200bx", "x\u200by"]),
            st.integers(1, 20).map(lambda number: "\x01\u00e9" * (number * 1_500)),
            st.text(max_size=12),
        ),
    ),
)
def test_fields_are_checked_as_the_rule_that_has_them_would_be(
    rule_type: RuleType, fields: dict[str, str]
) -> None:
    limits = Limits(2, 2, 2)
    found = read_rule(f"traptor-{rule_type}:0:{fields.get('rule_id') or '-'}", fields, False, limits)
    if isinstance(found, Rule):
        assert check_fields(rule_type, fields, limits) == (found.values, found.doubt)
        return
    assert isinstance(found, Rejected)
    with pytest.raises(ValueError) as caught:
        check_fields(rule_type, fields, limits)
    assert str(caught.value).partition("bytes")[2] == found.reason.partition("bytes")[2]
    if "bytes as JSON" not in found.reason:
        assert str(caught.value) == found.reason
