"""The matcher finds exactly the rules that an obviously right one finds, whatever the tweet and the rules."""

# ruff: noqa: RUF001 - curly quotes and full-width marks are meant

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st
from support.fuzzing import examples
from support.making_tweets import decoded, place, rule, tweet_fields
from support.paths import DATA
from support.slow_matcher import match_follow, match_locations, match_track

from traptor.worker.match.matcher import Matcher

LINES = (DATA / "tweets-v1.1.jsonl").read_bytes().splitlines()
REAL = [json.loads(line) for line in LINES]

TRICKY_WORDS = [
    "storm",
    "Storm",
    "STORMY",
    "foo",
    "foo_bar",
    "_foo",
    "bar’s",
    "bar's",
    "don't",
    "AT&T",
    "helm's-alee",
    "#foo",
    "#foo_bar",
    "##foo",
    "#Foo's",
    "＃foo",
    "a#foo",
    "/#foo",
    "&#foo",
    "@foo",
    "@foo_bar",
    ".@foo",
    "@foo's",
    "＠bar",
    "me@foo",
    "$foo",
    "$FOO",
    "$foo_bar",
    "$100",
    "$1,000",
    "foo.",
    "foo!",
    "'foo'",
    "“foo”",
    "(foo)",
    "(.foo)",
    "...foo",
    "foo...",
    "…",
    "...",
    "-",
    "&",
    "_",
    "#",
    "@",
    "$",
    ".",
    "http://foo.com",
    "https://www.foo.com/bar",
    "www.foo.com",
    "foo.com/bar",
    "foo.com/foo_bar",
    "https://foo.com/#foo_bar",
    "https://foo.com/?q=foo#bar",
    '"www.foo.com"',
    "café",
    "cafe",
    "café",
    "ΡΌΔΟΣ",
    "ρόδος’s",
    "价格",
    "foo价格",
    "#foo价格",
    "の",
    "🔥",
    "foo🔥🔥",
    "❤️",
    "❤",
    "👩\u200d🚀",
    "👍🏽",
    "🇳🇴🇸🇪",
    "हिन्दी",
    "हिन्दी_foo",
    "#हिन्दी_foo",
    "#cafe\u0301_x",
    "cafe\u0301_x",
    "foo\u200dbar",
    "foo\xadbar",
    "İfoo",
    "ß",
    "²",
    "ＦＯＯ",
    "https://t.co/Ab1",
    "C++",
    "c#",
    ".net",
    "100%",
    "covid-19",
    "COVID-19の影響",
    "COVID-19🦠",
    "COVID-19，foo",
    "post-covid-19-foo",
    "l’île-de-foo",
    "US$1.50",
    "foo\u200cbar",
    "می\u200cخواهم",
    "#می\u200cخواهم",
    "#il·lusió",
    "il·lusió",
    "#foo・bar",
    "テスト・foo",
    "#foo²",
    "#2020_2021",
    "@foobar价格",
    "@foobär",
    "@fooбар",
]
PUNCTUATION = list("#@$_.'’&/-…!()“ ")

words = st.sampled_from(TRICKY_WORDS) | st.tuples(
    st.sampled_from(PUNCTUATION), st.sampled_from(TRICKY_WORDS), st.sampled_from(PUNCTUATION)
).map("".join)
texts = st.lists(words, max_size=8).map(" ".join)
escaped_texts = texts.map(lambda text: text.replace("&", "&amp;"))
names = st.sampled_from(
    ["foo", "Foo_Bar", "bar", "storm", "foo价格", "価格", "il·lusió", "foo-bar", "BRK.B", None, ""]
)
links = st.builds(
    lambda url, shown: {"expanded_url": url, "display_url": shown},
    st.sampled_from(
        [
            "https://foo.com",
            "http://www.foo.com/bar/",
            "https://foo.com/foo_bar?q=1#foo",
            "https://twitter.com/i/web/status/10",
        ]
    ),
    st.sampled_from(["foo.com", "foo.com/bar", "pic.twitter.com/foo", "twitter.com/i/web/stat…"]),
)
entities = st.fixed_dictionaries(
    {},
    optional={
        "hashtags": st.lists(names.map(lambda name: {"text": name}), max_size=2),
        "symbols": st.lists(names.map(lambda name: {"text": name}), max_size=1),
        "user_mentions": st.lists(names.map(lambda name: {"id_str": "7", "screen_name": name}), max_size=2),
        "urls": st.lists(links, max_size=2),
        "media": st.lists(links, max_size=1),
    },
)
coordinates = st.tuples(st.integers(-4, 4), st.integers(-4, 4)).map(
    lambda point: {"type": "Point", "coordinates": [point[0] / 2, point[1] / 2]}
)
bounds = st.tuples(st.integers(-4, 4), st.integers(-4, 4), st.integers(0, 4), st.integers(0, 4)).map(
    lambda box: (box[0] / 2, box[1] / 2, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
)
user_ids = st.sampled_from(["1", "2", "3", "12"])


@st.composite
def statuses(draw, depth=2):
    fields = tweet_fields(
        draw(escaped_texts),
        id_str=draw(st.sampled_from(["10", "11"])),
        user={"id_str": draw(user_ids), "screen_name": draw(names)},
        in_reply_to_user_id_str=draw(st.none() | user_ids),
        entities=draw(entities),
        truncated=draw(st.booleans()),
        coordinates=draw(st.none() | coordinates),
        place=draw(st.none() | bounds.map(lambda box: place(*box))),
    )
    if draw(st.booleans()):
        media = draw(st.none() | st.lists(links, max_size=2).map(lambda items: {"media": items}))
        extended = {"full_text": draw(escaped_texts), "entities": draw(entities), "extended_entities": media}
        fields |= {"extended_tweet": extended} if draw(st.booleans()) else {"extended_entities": media}
    for member in ("retweeted_status", "quoted_status"):
        if depth and draw(st.integers(0, 2)) == 0:
            fields[member] = draw(statuses(depth=depth - 1))
    return fields


phrases = st.lists(words, min_size=1, max_size=3).map(" ".join).map(str.lower).filter(str.strip)
many_boxes = [
    f"{west / 4},{south / 4},{west / 4 + 0.25},{south / 4 + 0.25}" for west in range(9) for south in range(9)
]


def texts_in(value):
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts_in(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts_in(inner)]
    return [value] if isinstance(value, str) else []


@examples(200)
@given(statuses(), st.data(), st.booleans())
def test_track(fields, data, is_ascii):
    """Half of the rules' words are the tweet's own, some of them trimmed, so that rules often do match."""
    own = [word for text in texts_in(fields) for word in text.replace("&amp;", "&").split()]
    own += [word.strip("#@.…!()“'") for word in own] + ["#" + word for word in own]
    near = st.sampled_from([word.lower() for word in own if word])
    some_words = st.lists(
        (near | words).filter(lambda word: word.isascii() or not is_ascii), min_size=1, max_size=3
    )
    some_phrases = some_words.map(" ".join).map(str.lower).filter(str.strip)
    values = data.draw(st.lists(st.lists(some_phrases, min_size=1, max_size=2), min_size=1, max_size=12))
    matcher = Matcher([rule("track:0", number, *phrases) for number, phrases in enumerate(values)])
    assert matcher.match(decoded(fields)) == match_track(fields, values)


@examples(100)
@given(statuses(), st.lists(st.lists(user_ids, min_size=1, max_size=2), min_size=1, max_size=5))
def test_follow(fields, values):
    matcher = Matcher([rule("follow:0", number, *ids) for number, ids in enumerate(values)])
    assert matcher.match(decoded(fields)) == match_follow(fields, values)


@examples(100)
@given(
    statuses(depth=1),
    st.lists(bounds.map(lambda box: [",".join(map(str, box))]), min_size=1, max_size=5),
    st.booleans(),
)
def test_locations_with_few_boxes_and_with_a_grid_of_them(fields, values, has_many):
    values = values + [[box] for box in many_boxes] if has_many else values
    matcher = Matcher([rule("locations:0", number, *boxes) for number, boxes in enumerate(values)])
    assert matcher.match(decoded(fields)) == match_locations(fields, values)


@examples(50)
@given(statuses(), st.lists(phrases, min_size=1, max_size=4), st.lists(user_ids, min_size=1, max_size=4))
def test_rules_of_several_types_do_not_disturb_each_other(fields, some_phrases, some_ids):
    matcher = Matcher(
        [rule("track:0", n, phrase) for n, phrase in enumerate(some_phrases)]
        + [rule("follow:0", n, user_id) for n, user_id in enumerate(some_ids)]
        + [rule("locations:0", 0, "-1,-1,1,1")]
    )
    by_follow = [len(some_phrases) + n for n in match_follow(fields, [[user_id] for user_id in some_ids])]
    by_box = [len(some_phrases) + len(some_ids)] * len(match_locations(fields, [["-1,-1,1,1"]]))
    expected = match_track(fields, [[phrase] for phrase in some_phrases]) + by_follow + by_box
    assert matcher.match(decoded(fields)) == expected


def test_track_on_real_tweets():
    """Every word of every real tweet is a rule, and pairs of neighbours are."""
    in_text = [(tweet.get("text") or tweet["full_text"]).lower().split() for tweet in REAL]
    values = sorted({(word,) for text in in_text for word in text})
    values += sorted({(f"{one} {two}",) for text in in_text for one, two in itertools.pairwise(text)})
    matcher = Matcher([rule("track:0", number, *phrases) for number, phrases in enumerate(values)])
    for tweet in REAL:
        found = matcher.match(decoded(tweet))
        assert found == match_track(tweet, values)
        assert found
