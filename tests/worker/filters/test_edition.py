"""The rules of a post, by the filters that it names."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making_posts import Json, head_of, packed, post_fields, post_line, repost_of, single
from support.making_tweets import rule

from traptor.common.filters import FollowScope, Meaning
from traptor.common.rules.rule import Rule
from traptor.worker.filters.attribution import RuleSource
from traptor.worker.filters.edition import Edition

STORM = rule("track:0", "storm", "storm")
FLOOD = rule("track:0", "flood", "flood warning", "high water")
ALSO_STORM = rule("track:0", "also", "storm", "hail")
ANN, BO, CY = (rule("follow:0", user, user) for user in ("42", "7", "9"))
OSLO = rule("locations:0", "oslo", "10,59,11,60")
RULES = (STORM, FLOOD, ALSO_STORM, ANN, BO, CY, OSLO)
MEANINGS = (
    single("1", "track:0", "storm"),
    single("2", "track:0", "flood warning"),
    packed("3", "track:0", ("high water", "hail")),
    packed("4", "follow:0", ("42", "7")),
    packed("5", "follow:0", ("9",)),
    packed("6", "locations:0", ("10,59,11,60",)),
)
EDITION = Edition(RULES, (), MEANINGS)


def found(line: bytes, edition: Edition = EDITION) -> tuple[RuleSource, list[str]]:
    attribution = edition.attribute(head_of(line), line)
    return attribution.source, [edition.rules[index].rule_id for index in attribution.rules]


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        (post_line(post_fields("nothing of it"), "1"), ["storm", "also"]),
        (post_line(post_fields(), "2"), ["flood"]),
        (post_line(post_fields(), "2", "1"), ["flood", "storm", "also"]),
        (post_line(post_fields("Hail!"), "3"), ["also"]),
        (post_line(post_fields("HIGH or low water"), "3"), ["flood"]),
        (post_line(post_fields("hail, high water"), "3", "1"), ["flood", "also", "storm"]),
        (post_line(post_fields(author_id="42"), "4"), ["42"]),
        (post_line(post_fields(author_id="8", in_reply_to_user_id="7"), "4"), ["7"]),
        (post_line(post_fields(author_id="42", in_reply_to_user_id="7"), "4"), ["42", "7"]),
        (post_line(post_fields(author_id="42", in_reply_to_user_id="9"), "4", "5"), ["42", "9"]),
        (post_line(post_fields(author_id="42", in_reply_to_user_id="9"), "5"), ["9"]),
        (post_line(repost_of(post_fields(author_id="7", id="19"), author_id="8"), "4"), ["7"]),
        (
            post_line(post_fields(geo={"coordinates": {"type": "Point", "coordinates": [10.5, 59.5]}}), "6"),
            ["oslo"],
        ),
        (
            post_line(
                post_fields(geo={"place_id": "aa"}),
                "6",
                includes={"places": [{"id": "aa", "geo": {"bbox": [10.4, 59.8, 10.9, 60.1]}}]},
            ),
            ["oslo"],
        ),
    ],
)
def test_rules_follow_from_the_ids_of_filters_and_the_values_of_packed_ones(
    line: bytes, rules: list[str]
) -> None:
    assert found(line) == (RuleSource.MATCHED, rules)


@pytest.mark.parametrize(
    "line",
    [
        post_line(post_fields(), "77"),
        post_line(post_fields(), "77", "78"),
        post_line(post_fields()),
    ],
)
def test_posts_of_filters_that_nobody_told_of_are_foreign(line: bytes) -> None:
    assert found(line) == (RuleSource.FOREIGN, [])


def test_a_filter_without_an_id_is_foreign_whoever_wrote_the_post() -> None:
    edition = Edition(RULES, (), (packed("4", "follow:0", ("42", "7")), packed("5", "follow:0", ("42", "9"))))
    for named in ({}, {"id": None}, {"id": ""}):
        line = json.dumps({"data": post_fields(author_id="42"), "matching_rules": [named]}).encode()
        assert found(line, edition) == (RuleSource.FOREIGN, [])


def test_a_foreign_filter_beside_one_of_ours_changes_nothing() -> None:
    assert found(post_line(post_fields(), "77", "1")) == (RuleSource.MATCHED, ["storm", "also"])


def test_a_value_that_only_the_wider_reading_finds_is_inferred() -> None:
    assert found(post_line(post_fields("hailstorm"), "3")) == (RuleSource.INFERRED, ["also"])
    mention = {"mentions": [{"id": "7", "username": "bo"}]}
    line = post_line(post_fields(author_id="1", entities=mention), "4")
    assert found(line) == (RuleSource.INFERRED, ["7"])


def test_a_post_in_which_no_value_of_a_packed_filter_is_found_has_no_rule() -> None:
    assert found(post_line(post_fields("nothing"), "3")) == (RuleSource.UNATTRIBUTED, [])
    assert found(post_line(post_fields("nothing"), "3", "77")) == (RuleSource.UNATTRIBUTED, [])
    assert found(post_line(post_fields("nothing"), "3", "1")) == (RuleSource.MATCHED, ["storm", "also"])


@pytest.mark.parametrize("is_expanded", [True, False])
def test_a_term_beyond_280_characters_is_found_in_the_note(is_expanded: bool) -> None:
    note = {"text": "x " * 300 + "high water", "entities": {"hashtags": [{"tag": "hail"}]}}
    long = post_fields("x " * 100 + "…", id="18", note_tweet=note)
    assert found(post_line(long, "3")) == (RuleSource.MATCHED, ["flood", "also"])
    includes = {"tweets": [long]} if is_expanded else {}
    expected = (RuleSource.MATCHED, ["flood", "also"]) if is_expanded else (RuleSource.UNATTRIBUTED, [])
    assert found(post_line(repost_of(long), "3", includes=includes)) == expected
    quote = post_fields("see", referenced_tweets=[{"type": "quoted", "id": "18"}])
    assert found(post_line(quote, "3", includes=includes)) == expected
    assert found(post_line(quote, "1", includes=includes)) == (RuleSource.MATCHED, ["storm", "also"])


def test_both_spellings_of_posts_in_includes_are_read() -> None:
    other = post_fields("hail", id="18", author_id="7")
    for referenced, included in (("referenced_tweets", "tweets"), ("referenced_posts", "posts")):
        repost = post_fields("…", author_id="1", **{referenced: [{"type": "retweeted", "id": "18"}]})
        line = post_line(repost, "3", "4", includes={included: [other]})
        assert found(line) == (RuleSource.MATCHED, ["also", "7"])


A, R, F = FollowScope.AUTHOR, FollowScope.REPLIES, FollowScope.FULL


@pytest.mark.parametrize(
    ("post", "rules"),
    [
        (post_fields(author_id="42", in_reply_to_user_id="7"), ["42", "7"]),
        (post_fields(author_id="7", in_reply_to_user_id="42"), ["7"]),
        (post_fields(author_id="9", in_reply_to_user_id="7"), ["9", "7"]),
        (repost_of(post_fields(author_id="7", id="19"), author_id="42"), ["42"]),
        (repost_of(post_fields(author_id="9", id="19"), author_id="42"), ["42", "9"]),
        (repost_of(post_fields(author_id="42", id="19"), author_id="9"), ["9"]),
    ],
)
def test_users_of_a_packed_filter_count_within_their_scopes(post: Json, rules: list[str]) -> None:
    meaning = Meaning("1", "follow:0", ("42", "7", "9"), True, (A, R, F))
    edition = Edition((ANN, BO, CY), (), (meaning,))
    assert sorted(found(post_line(post, "1"), edition)[1]) == sorted(rules)
    beside = Edition((ANN, BO, CY, STORM), (), (meaning, packed("2", "track:0", ("storm", "hail"))))
    assert sorted(found(post_line(post, "1", "2"), beside)[1]) == sorted(rules)


def test_a_post_of_an_account_that_no_rule_wants_is_not_matched() -> None:
    edition = Edition((ANN,), (), (packed("1", "follow:0", ("42", "7")),))
    for filters in (["1"], ["1", "of somebody else"]):
        line = post_line(post_fields(author_id="7"), *filters)
        assert found(line, edition) == (RuleSource.UNATTRIBUTED, [])
        mention = {"mentions": [{"id": "42", "username": "ann"}]}
        line = post_line(post_fields(author_id="7", entities=mention), *filters)
        assert found(line, edition) == (RuleSource.INFERRED, ["42"])


def test_an_account_of_two_scopes_counts_by_the_filter_that_found_the_post() -> None:
    narrow, full = Meaning("1", "follow:0", ("7", "9"), True, (A, F)), packed("2", "follow:0", ("7", "42"))
    edition = Edition((ANN, BO, CY), (), (narrow, full))
    reply = post_fields(author_id="9", in_reply_to_user_id="7")
    assert found(post_line(reply, "1"), edition) == (RuleSource.MATCHED, ["9"])
    assert found(post_line(reply, "2"), edition) == (RuleSource.MATCHED, ["7"])


def test_a_filter_that_two_groups_share_names_the_rules_of_both() -> None:
    other = rule("track:b", "other", "storm")
    edition = Edition((STORM, other), (), (single("1", "track:0", "storm"), single("1", "track:b", "storm")))
    assert found(post_line(post_fields(), "1"), edition) == (RuleSource.MATCHED, ["storm", "other"])
    mixed = Edition((STORM, other), (), (single("1", "track:0", "storm"), packed("1", "track:b", ("storm",))))
    assert found(post_line(post_fields("a storm"), "1"), mixed) == (RuleSource.MATCHED, ["storm", "other"])
    assert found(post_line(post_fields(), "1"), mixed) == (RuleSource.MATCHED, ["storm"])


WORDS = [f"w{letter}x" for letter in "abcdefgh"]
VALUES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Rule], list[Meaning]]:
    """Rules over few words, and filters that stand for their values, each value in one filter."""
    rules = [rule("track:0", str(n), *values) for n, values in enumerate(draw(st.lists(VALUES, max_size=6)))]
    values = sorted({value for one in rules for value in one.values})
    bins: dict[int, list[str]] = {}
    for value in values:
        bins.setdefault(draw(st.integers(0, 3)), []).append(value)
    return rules, [Meaning(str(key), "track:0", tuple(held), len(held) > 1) for key, held in bins.items()]


def filters_finding(text: str, meanings: Sequence[Meaning]) -> list[str]:
    return [one.filter_id for one in meanings if set(one.values) & set(text.split())]


@given(worlds(), st.lists(st.sampled_from([*WORDS, "and", "or"]), max_size=6))
def test_however_values_are_packed_the_rules_are_those_that_the_text_has(
    world: tuple[list[Rule], list[Meaning]], words: list[str]
) -> None:
    rules, meanings = world
    text = " ".join(words)
    filters = filters_finding(text, meanings)
    line = post_line(post_fields(text), *filters)
    attribution = Edition(rules, (), meanings).attribute(head_of(line), line)
    expected = {n for n, one in enumerate(rules) if set(one.values) & set(words)}
    assert set(attribution.rules) == expected
    assert len(attribution.rules) == len(expected)
    assert attribution.source is (RuleSource.MATCHED if filters else RuleSource.FOREIGN)
