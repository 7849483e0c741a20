"""Tweets of which each matches one to three rules.

Half of them are the sandbox's own (all its forms: extended, retweeted, quoted, tagged, linked, with photos).
The other half are real tweets (tests/data) in turn, each with a filtered value inserted: a phrase before its
text, a followed user as its author, or a point as its place. Tweets that then match no rule or more than
three are left out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from traptor.common.rules.rule import Rule, RuleType
from traptor.sandbox.tweets.maker import TweetMaker
from traptor.sandbox.tweets.twitterjson import twitter_json
from traptor.sandbox.tweets.values import FilterType, Value, parse_values
from traptor.worker.match.matcher import Matcher
from traptor.worker.tweets.received import read_message

REAL_TWEETS = Path(__file__).parent.parent / "tests" / "data" / "tweets-v1.1.jsonl"
_MOST_RULES = 3
_NOW = 1_793_000_000.0  # unix time; the same ids in every run
# The sandbox examines every value to make a tweet's filler; some thousand show all its forms.
_MOST_SANDBOX_VALUES = 2_000


def corpus(rules: Sequence[Rule], count: int, seed: int = 1) -> list[bytes]:
    """Return `count` lines as in the stream, without line ends; the same ones for the same arguments."""
    matcher = Matcher(rules)
    sources = itertools.cycle((_from_sandbox(rules, seed), _from_real(rules, seed)))
    lines: list[bytes] = []
    while len(lines) < count:
        line = next(next(sources))
        tweet = read_message(line).tweet
        if tweet is not None and 1 <= len(matcher.match(tweet)) <= _MOST_RULES:
            lines.append(line)
    return lines


def _from_sandbox(rules: Sequence[Rule], seed: int) -> Iterator[bytes]:
    some = Random(seed).sample(list(rules), min(len(rules), _MOST_SANDBOX_VALUES))
    values: list[Value] = []
    for rule in some:
        values += parse_values(FilterType(rule.group.type.value), ",".join(rule.values))
    maker = TweetMaker(seed)
    maker.set_values(values)
    while True:
        yield maker.make(_NOW, noise=0.0).json


def _from_real(rules: Sequence[Rule], seed: int) -> Iterator[bytes]:
    rng = Random(seed)
    tweets = [json.loads(line) for line in REAL_TWEETS.read_bytes().splitlines()]
    for number in itertools.count(1):
        tweet = json.loads(json.dumps(tweets[number % len(tweets)]))
        tweet["id"] = tweet["id"] + number
        tweet["id_str"] = str(tweet["id"])
        _put(rng.choice(rules), tweet)
        yield twitter_json(tweet)


def _put(rule: Rule, tweet: dict[str, Any]) -> None:
    value = rule.values[0]
    match rule.group.type:
        case RuleType.TRACK:
            _put_phrase(value, tweet.get("retweeted_status", tweet))
        case RuleType.FOLLOW:
            tweet["user"] |= {"id": int(value), "id_str": value}
        case RuleType.LOCATIONS:
            west, south, east, north = map(float, value.split(","))
            tweet.pop("retweeted_status", None)  # a retweet has no location
            tweet["coordinates"] = {"type": "Point", "coordinates": [(west + east) / 2, (south + north) / 2]}


def _put_phrase(phrase: str, tweet: dict[str, Any]) -> None:
    extended = tweet.get("extended_tweet", {})
    whole, name = (extended, "full_text") if "full_text" in extended else (tweet, "text")
    name = name if name in whole else "full_text"
    # In front: at the end it might be taken for the rest of a truncated word.
    whole[name] = f"{phrase} {whole[name]}"
    for hashtag in (term[1:] for term in phrase.split() if term.startswith("#")):
        whole.setdefault("entities", {}).setdefault("hashtags", []).append({"text": hashtag})
