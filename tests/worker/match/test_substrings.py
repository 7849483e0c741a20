"""The wider reading, for tweets in which the documented one finds no rule."""

import pytest
from support.making_tweets import decoded, link, rule, tweet_fields

from traptor.worker.match.matcher import Matcher

FOLLOWED = {"id_str": "777", "screen_name": "followed"}
BY_FOLLOWED = tweet_fields("x", user=FOLLOWED)
MENTION = {"user_mentions": [{"id_str": "777", "screen_name": "followed"}]}


@pytest.mark.parametrize(
    "tweet",
    [
        pytest.param(tweet_fields("x", quoted_status=BY_FOLLOWED), id="quoted author"),
        pytest.param(
            tweet_fields("x", retweeted_status=tweet_fields("y", quoted_status=BY_FOLLOWED)),
            id="quoted in a retweet",
        ),
        pytest.param(tweet_fields("x", entities=MENTION), id="mentioned"),
        pytest.param(
            tweet_fields("x", extended_tweet={"full_text": "x", "entities": MENTION}),
            id="mentioned in the whole text",
        ),
        pytest.param(
            tweet_fields("x", retweeted_status=tweet_fields("y", entities=MENTION)), id="in the retweeted"
        ),
        pytest.param(
            tweet_fields("x", quoted_status=tweet_fields("y", entities=MENTION)), id="in the quoted"
        ),
    ],
)
def test_follow_finds_a_user_who_is_quoted_or_mentioned(tweet):
    matcher = Matcher([rule("follow:0", 1, "7"), rule("follow:0", 2, "777")])
    assert matcher.match(decoded(tweet)) == []
    assert matcher.infer(decoded(tweet)) == [1]


@pytest.mark.parametrize(
    ("phrase", "tweet"),
    [
        pytest.param("storm", tweet_fields("TheStormyDay"), id="inside a word"),
        pytest.param("value storm", tweet_fields("valued brainstorming"), id="each term inside a word"),
        pytest.param("ann", tweet_fields("x"), id="author's screen name"),
        pytest.param("follow", tweet_fields("x", retweeted_status=BY_FOLLOWED), id="retweeted author"),
        pytest.param("follow", tweet_fields("x", quoted_status=BY_FOLLOWED), id="quoted author"),
        pytest.param("价", tweet_fields("比特币价格"), id="within a language without blanks"),
        pytest.param(
            "foobar",
            tweet_fields("x", entities={"urls": [link("https://a.b/foobarbaz")]}),
            id="in an address",
        ),
        pytest.param("#storm", tweet_fields("#stormy"), id="start of a hashtag"),
    ],
)
def test_track_finds_terms_anywhere_and_in_screen_names(phrase, tweet):
    matcher = Matcher([rule("track:0", 1, "unheard of"), rule("track:0", 2, phrase)])
    assert matcher.match(decoded(tweet)) == []
    assert matcher.infer(decoded(tweet)) == [1]


def test_not_all_terms_are_not_enough():
    matcher = Matcher([rule("track:0", 1, "storm unheard")])
    assert matcher.infer(decoded(tweet_fields("TheStormyDay"))) == []


def test_all_rules_are_found_also_with_terms_within_each_other():
    matcher = Matcher(
        [rule("track:0", 1, "storm"), rule("track:0", 2, "tormy"), rule("track:0", 3, "storm", "stormyday")]
    )
    assert matcher.infer(decoded(tweet_fields("TheStormyDay"))) == [0, 1, 2]


def test_locations_are_never_inferred():
    assert Matcher([rule("locations:0", 1, "0,0,1,1")]).infer(decoded(tweet_fields("x"))) == []


def test_a_matcher_without_rules_finds_nothing():
    assert (
        Matcher([]).match(decoded(tweet_fields("x"))) == Matcher([]).infer(decoded(tweet_fields("x"))) == []
    )
