"""Twitter's documented cases of `follow`."""

import pytest
from support.making_tweets import decoded, rule, tweet_fields

from traptor.worker.match.matcher import Matcher

FOLLOWED = {"id_str": "777", "screen_name": "followed"}
BY_FOLLOWED = tweet_fields("original", user=FOLLOWED)
MENTION = {"user_mentions": [{"id_str": "777", "screen_name": "followed"}]}


def matches(tweet):
    return Matcher([rule("follow:0", 1, "778"), rule("follow:0", 2, "777")]).match(decoded(tweet)) == [1]


@pytest.mark.parametrize(
    "tweet",
    [
        pytest.param(BY_FOLLOWED, id="written by the user"),
        pytest.param(
            tweet_fields("RT", user=FOLLOWED, retweeted_status=tweet_fields("x")), id="retweeted by the user"
        ),
        pytest.param(
            tweet_fields("RT", user=FOLLOWED, quoted_status=tweet_fields("x")), id="quoting, by the user"
        ),
        pytest.param(
            tweet_fields("@followed yes", in_reply_to_user_id_str="777", in_reply_to_status_id=5),
            id="reply to the user",
        ),
        pytest.param(
            tweet_fields("RT @followed: original", retweeted_status=BY_FOLLOWED), id="retweet of the user"
        ),
        pytest.param(
            tweet_fields("@followed I agree", in_reply_to_user_id_str="777", in_reply_to_status_id=None),
            id="manual reply to the user",
        ),
    ],
)
def test_delivered(tweet):
    assert matches(tweet)


@pytest.mark.parametrize(
    "tweet",
    [
        pytest.param(tweet_fields("I met @followed", entities=MENTION), id="mentions the user"),
        pytest.param(tweet_fields("RT @followed original", entities=MENTION), id="hand-typed retweet"),
        pytest.param(tweet_fields("look", quoted_status=BY_FOLLOWED), id="quote of the user by another"),
        pytest.param(tweet_fields("777"), id="the number in the text"),
    ],
)
def test_not_delivered_by_the_documents(tweet):
    assert not matches(tweet)


def test_a_tweet_of_one_user_to_another_matches_both():
    matcher = Matcher([rule("follow:0", 1, "42"), rule("follow:0", 2, "777"), rule("follow:0", 3, "42")])
    assert matcher.match(decoded(tweet_fields("hi", in_reply_to_user_id_str="777"))) == [0, 1, 2]
