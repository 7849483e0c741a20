"""Rules and tweets from files, held against each other as a worker does."""

import json
from pathlib import Path

import pytest

from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.worker.match.matcher import Matcher
from traptor.worker.tweets.received import read_message

DATA = Path(__file__, "../../../data").resolve()


def found(name: str, rules_of: str | None = None) -> dict[str, set[str]]:
    """By tweet id: the ids of the rules that match."""
    fields_of = json.loads((DATA / f"{rules_of or name}.rules.json").read_text())
    rules = [read_rule(key, fields, True, Limits()) for key, fields in fields_of.items()]
    assert all(isinstance(rule, Rule) for rule in rules)
    matcher = Matcher(rules)
    tweets = [read_message(line).tweet for line in (DATA / f"{name}.tweets.jsonl").read_bytes().splitlines()]
    return {tweet.id_str: {rules[number].rule_id for number in matcher.match(tweet)} for tweet in tweets}


@pytest.mark.parametrize(
    ("tweet_id", "expected"),
    [
        ("2", {"fa-word", "fa-tag"}),
        ("3", {"fa-word"}),
        ("6", {"ca-word"}),
        ("7", {"si-word", "si-tag"}),
    ],
)
def test_a_hashtag_is_one_word_with_all_its_characters(tweet_id, expected):
    assert found("hashtag_chars")[tweet_id] == expected | {"always"}


def test_a_term_with_punctuation_inside_ends_where_plain_words_do():
    assert found("words_with_punctuation") == {str(number): {"1", "2"} for number in range(1, 11)}


def test_an_entity_without_a_name_is_no_word():
    line_of = (DATA / "null_entities.tweets.jsonl").read_bytes().splitlines()
    rule = read_rule("traptor-track:0:1", {"value": "none,#none,@none,$none"}, True, Limits())
    matcher = Matcher([rule])
    for line in line_of:
        tweet = read_message(line).tweet
        assert matcher.match(tweet) == []
        assert matcher.infer(tweet) == []
