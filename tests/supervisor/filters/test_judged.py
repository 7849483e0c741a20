"""The translation judged from outside: by the sandbox's own reading of X's rule language."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.fuzzing import examples
from support.making_tweets import decoded, rule
from support.paths import DATA

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import RuleType
from traptor.common.rules.values import read_values
from traptor.sandbox.tweets.maker import Tweet, TweetMaker
from traptor.sandbox.tweets.values import FilterType, parse_values
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.index import FilterIndex
from traptor.sandbox.v2.language.rule import parse_rule
from traptor.sandbox.v2.posts import read_post
from traptor.supervisor.filters.language.clauses import filter_text
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.filters.language.translate import Translation, translate
from traptor.worker.match.matcher import Matcher

LENGTH = 1_024
STOP_WORDS_ALONE = "stop word"

WORDS = st.text(
    st.characters(codec="utf-8", categories=["L", "Nd", "Po", "Pd", "Pc"]), min_size=1, max_size=10
)
TERMS = st.one_of(
    WORDS,
    st.sampled_from(
        ["or", "and", "not", "from:x", "-x", "#tag", "@name", "$cash", "example.com/a", "a_b", "3.5"]
    ),
)
PHRASES = st.lists(TERMS, min_size=1, max_size=3).map(" ".join)
VALUES = st.one_of(
    PHRASES.map(lambda phrase: (RuleType.TRACK, phrase.replace(",", ""))),
    st.integers(1, 10**18).map(lambda user_id: (RuleType.FOLLOW, str(user_id))),
    st.tuples(st.integers(-170, 170), st.integers(-80, 79)).map(
        lambda corner: (RuleType.LOCATIONS, f"{corner[0]},{corner[1]},{corner[0] + 0.2},{corner[1] + 0.2}")
    ),
)


@given(VALUES, st.sampled_from(FollowScope), st.sampled_from(["", "lang:en", "lang:en -is:retweet"]))
def test_every_filter_that_is_written_is_one_that_x_reads(
    value: tuple[RuleType, str], scope: FollowScope, suffix: str
) -> None:
    """But for words that X refuses alone, which only its own list knows."""
    rule_type, text = value
    try:
        (normal,) = read_values(rule_type, text)
        clause = translate(rule_type, normal, scope).clause
    except ValueError:
        assume(False)
    try:
        parse_rule(filter_text([clause], suffix), LENGTH)
    except InvalidRule as refusal:
        assert STOP_WORDS_ALONE in str(refusal.details)


# ---- the posts that clauses find, beside the tweets that v1.1's matching finds

NOW = 1_793_000_000.0
NAMES = ("storm", "flood", "taxes", "rain", "vote", "ola")
TRACK = st.one_of(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map(" ".join),
    st.tuples(st.sampled_from("#@$"), st.sampled_from(NAMES)).map("".join),
    st.sampled_from(["covid-19", "don't", "example.com", "storm #flood", "caf\u00e9 rain"]),
    st.sampled_from(
        ["#storm_flood", "@rain_vote", "storm @ola_1", "example.com/storm", "example.com/storm/flood"]
    ),
    st.sampled_from(['"storm"', '"storm flood"', 'say "rain"', 'storm"flood', '"vote" ola', 'ola "vote"']),
)
BOXES = st.sampled_from(["10.4,59.8,10.6,60.0", "-1,50,-0.8,50.2", "2,48,2.3,48.2"])
USERS = st.integers(10**17, 10**17 + 5).map(str)
WANTED = st.one_of(
    st.tuples(st.just(RuleType.TRACK), TRACK),
    st.tuples(st.just(RuleType.FOLLOW), USERS),
    st.tuples(st.just(RuleType.LOCATIONS), BOXES),
)

Wanted = tuple[RuleType, str]


class Judge:
    """Compares what the clauses of values find with what the values find under v1.1."""

    def __init__(self, wanted: Iterable[Wanted], scope: FollowScope) -> None:
        self.agreed = 0
        self.named: Counter[Difference] = Counter()
        self._values: list[Wanted] = []
        self._translations: list[Translation] = []
        self._filters = FilterIndex()
        for rule_type, text in wanted:
            try:
                (value,) = read_values(rule_type, text)
                translation = translate(rule_type, value, scope)
                self._filters.add(str(len(self._values)), parse_rule(filter_text([translation.clause])))
            except (ValueError, InvalidRule):
                continue  # no filter of it is ever written
            self._values.append((rule_type, value))
            self._translations.append(translation)
        self._matcher = Matcher(
            [rule(f"{rule_type}:0", at, value) for at, (rule_type, value) in enumerate(self._values)]
        )

    def judge(self, tweet: Tweet, at_x: Tweet | None = None) -> None:
        """Fail where something is lost or added for which the clause has no name.

        `at_x` is the tweet as X has it, where it knows less of it than v1.1 did.
        """
        fields, post = json.loads(tweet.json), read_post(at_x or tweet)
        assert post is not None
        v1 = set(self._matcher.match(decoded(fields)))
        v2 = set(map(int, self._filters.matching(post.facts)))
        self.agreed += len(v1 & v2)
        for at in v1 - v2:
            self._count(at, fields, is_loss=True)
        for at in v2 - v1:
            self._count(at, fields, is_loss=False)

    def _count(self, at: int, fields: dict[str, Any], *, is_loss: bool) -> None:
        named = {one for one in self._translations[at].differences if one.is_loss is is_loss}
        if not any(has_link(fields)):
            named.discard(Difference.LINK_WORDS)  # so plain words are found in the same posts
        if not any(has_joined_tag(fields)):
            named.discard(Difference.TAG_WORDS)
        rule_type, value = self._values[at]
        if rule_type is RuleType.FOLLOW:
            named &= missed_of_account(value, fields)
        assert named, f"{'lost' if is_loss else 'added'} without a name: {self._values[at]} in {fields}"
        self.named.update(named)


def missed_of_account(account: str, fields: dict[str, Any]) -> set[Difference]:
    """Return what may keep a tweet from those who follow the account; nothing does if it is its own."""
    if fields["user"]["id_str"] == account:
        return set()
    if fields.get("retweeted_status") is not None:
        return {Difference.REPOSTS}
    is_by_hand = fields["in_reply_to_status_id"] is None
    return {Difference.REPLIES, *([Difference.MANUAL_REPLIES] if is_by_hand else [])}


def has_link(fields: object) -> Iterator[bool]:
    """Yield True for each link in a tweet, or in one inside it."""
    if isinstance(fields, dict):
        for name, value in fields.items():
            if name in ("urls", "media") and value:
                yield True
            yield from has_link(value)
    elif isinstance(fields, list):
        for value in fields:
            yield from has_link(value)


def has_joined_tag(fields: object) -> Iterator[bool]:
    """Yield True for each hashtag and mention of several words in a tweet, or in one inside it."""
    if isinstance(fields, dict):
        for name, value in fields.items():
            if name in ("hashtags", "user_mentions"):
                yield from (not (one.get("text") or one["screen_name"]).isalnum() for one in value)
            yield from has_joined_tag(value)
    elif isinstance(fields, list):
        for value in fields:
            yield from has_joined_tag(value)


def made_for(seed: int, wanted: Sequence[Wanted], count: int) -> Iterator[Tweet]:
    maker = TweetMaker(seed)
    values = [parse_values(FilterType(rule_type), text) for rule_type, text in wanted]
    maker.set_values(list(itertools.chain.from_iterable(values)))
    return (maker.make(NOW, noise=0.1) for _ in range(count))


@examples(200)
@given(st.integers(0, 1 << 32), st.lists(WANTED, min_size=1, max_size=8), st.sampled_from(FollowScope))
def test_clauses_find_what_v11_found_but_for_what_has_a_name(
    seed: int, wanted: list[Wanted], scope: FollowScope
) -> None:
    """Tags, names and cashtags have no difference, words none in posts without a link or a tag with _."""
    judge = Judge(wanted, scope)
    for tweet in made_for(seed, wanted, count=20):
        judge.judge(tweet)


@examples(100)
@given(
    st.integers(0, 1 << 32),
    st.lists(WANTED, min_size=1, max_size=8),
    st.sampled_from(FollowScope),
    st.sampled_from(
        [("lang:en", "en", False), ("-is:retweet", "", True), ("lang:pl -is:retweet", "pl", True)]
    ),
)
def test_a_suffix_leaves_of_what_the_clauses_find_what_it_says(
    seed: int, wanted: list[Wanted], scope: FollowScope, suffix: tuple[str, str, bool]
) -> None:
    """Each of several clauses in one filter, too."""
    text, lang, without_reposts = suffix
    clauses = []
    for rule_type, value in wanted:
        try:
            (normal,) = read_values(rule_type, value)
            clauses.append(translate(rule_type, normal, scope).clause)
        except ValueError:
            continue  # no filter of it is ever written
    assume(clauses)
    plain, narrow = (parse_rule(filter_text(clauses, more), LENGTH * 8) for more in ("", text))
    for tweet in made_for(seed, wanted, count=20):
        post = read_post(tweet)
        assert post is not None
        is_left = lang in ("", post.facts.lang) and not (without_reposts and "retweet" in post.facts.kinds)
        assert narrow.matches(post.facts) == (plain.matches(post.facts) and is_left)


def test_what_is_lost_in_made_tweets_is_counted_by_its_name() -> None:
    wanted = [
        *((RuleType.TRACK, name) for name in (*NAMES, *(mark + name for mark in "#@$" for name in NAMES))),
        *((RuleType.FOLLOW, str(10**17 + number)) for number in range(6)),
        (RuleType.LOCATIONS, "10.4,59.8,10.6,60.0"),
    ]
    losses = {
        FollowScope.FULL: set[Difference](),
        FollowScope.REPLIES: {Difference.REPOSTS},
        FollowScope.AUTHOR: {Difference.REPOSTS, Difference.REPLIES},
    }
    for scope, names in losses.items():
        judge = Judge(wanted, scope)
        for tweet in made_for(1, wanted, count=1_500):
            judge.judge(tweet)
        assert judge.agreed > 1_000
        assert set(judge.named) == {Difference.LARGE_PLACES, Difference.LINK_WORDS, *names}


@pytest.mark.parametrize("scope", [FollowScope.FULL, FollowScope.REPLIES])
def test_a_reply_by_hand_that_x_takes_for_none_is_lost_by_its_name(scope: FollowScope) -> None:
    wanted = [(RuleType.FOLLOW, str(10**17))]
    judge = Judge(wanted, scope)
    for tweet in made_for(1, wanted, count=200):
        fields = json.loads(tweet.json)
        if fields["in_reply_to_user_id_str"] == str(10**17) and fields["in_reply_to_status_id"] is None:
            no_reply = dict.fromkeys(name for name in fields if name.startswith("in_reply_to_"))
            judge.judge(tweet, replace(tweet, json=json.dumps(fields | no_reply).encode()))
    assert set(judge.named) == {Difference.MANUAL_REPLIES}


def test_what_is_added_by_tags_longer_links_and_quotes_is_counted_by_its_name() -> None:
    links = ["example.com", "example.com/storm", "example.com/storm/flood"]
    tags = ["storm", "#storm_flood", "@storm_flood"]
    wanted = [(RuleType.TRACK, text) for text in (*links, *tags, 'storm"flood', 'say "storm"')]
    judge = Judge(wanted, FollowScope.FULL)
    for tweet in made_for(1, wanted, count=500):
        judge.judge(tweet)
    assert judge.agreed > 300
    extras = {one for one in Difference if not one.is_loss}
    assert set(judge.named) == {*extras, Difference.LINK_WORDS}


def test_what_is_lost_and_added_in_real_tweets_is_counted_by_its_name() -> None:
    """Every word of every real tweet is wanted, and pairs of neighbours are."""
    lines = (DATA / "tweets-v1.1.jsonl").read_bytes().splitlines()
    real = map(json.loads, lines)
    texts = [(tweet.get("text") or tweet["full_text"]).lower().replace(",", "").split() for tweet in real]
    words = {word for text in texts for word in text}
    pairs = {f"{one} {two}" for text in texts for one, two in itertools.pairwise(text)}
    judge = Judge([(RuleType.TRACK, text) for text in sorted(words | pairs)], FollowScope.FULL)
    for line in lines:
        judge.judge(Tweet(None, (), "real", line))
    assert judge.agreed > 500
    assert set(judge.named) == {Difference.LINK_WORDS, Difference.TAG_WORDS, Difference.PUNCTUATION}
