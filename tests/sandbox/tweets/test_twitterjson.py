"""The sandbox writes JSON as Twitter does."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.tweets.maker import TweetMaker
from traptor.sandbox.tweets.twitterjson import twitter_json
from traptor.sandbox.tweets.values import FilterType, parse_values

# As in Twitter's own example of a stream (dev.twitter.com, "The Streaming APIs", 2013), and beyond ASCII.
TWEET = {
    "text": "né 😀 http://t.co/x",
    "source": '<a href="http://www.echofon.com/">Echofon</a>',
    "geo": None,
}
AS_TWITTER_WRITES_IT = (
    rb'{"text":"n\u00e9 \ud83d\ude00 http:\/\/t.co\/x",'
    rb'"source":"\u003ca href=\"http:\/\/www.echofon.com\/\"\u003eEchofon\u003c\/a\u003e","geo":null}'
)

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_slashes_brackets_and_what_is_not_ascii_are_escaped() -> None:
    assert twitter_json(TWEET) == AS_TWITTER_WRITES_IT


@given(_values)
def test_it_says_the_same(content: Any) -> None:
    written = twitter_json(content)
    assert json.loads(written) == content
    assert written.isascii()
    assert b"<" not in written
    assert b"\n" not in written


def test_made_tweets_are_written_so() -> None:
    maker = TweetMaker(1)
    maker.set_values(parse_values(FilterType.TRACK, "日本,café"))
    made = b"".join(maker.make(1_793_000_000.0, noise=0.0).json for _ in range(50))
    assert made.isascii()
    assert rb"\u65e5\u672c" in made
    assert rb"https:\/\/t.co\/" in made
