"""Twitter's documented semantics of `track` ("Standard stream parameters"), and what was decided beside."""

# ruff: noqa: RUF001 - curly quotes are meant

import unicodedata

import pytest
from support.making_tweets import decoded, link, rule, tweet_fields

from traptor.worker.match.matcher import Matcher
from traptor.worker.match.track import Phrase, TrackIndex


def finds(phrase, tweet):
    return Matcher([rule("track:0", 1, *phrase.lower().split(","))]).match(decoded(tweet)) == [0]


def with_link(url):
    return tweet_fields("see https://t.co/abc", entities={"urls": [link(url)]})


DOCUMENTED_MATCHES = [
    ("Twitter", "TWITTER"),
    ("Twitter", "twitter"),
    ("Twitter", 'she said "Twitter"'),
    ("Twitter", "I like twitter."),
    ("Twitter", "#twitter"),
    ("Twitter", "@twitter"),
    ("Twitter", "http://twitter.com"),
    ("Twitter’s", "have you seen Twitter’s new page"),
    ("twitter api,twitter streaming", "The Twitter API is awesome"),
    ("twitter api,twitter streaming", "The twitter streaming service is fast"),
    ("twitter api,twitter streaming", "Twitter has a streaming API"),
    ("twitter api,twitter streaming", "an API of Twitter"),
    ("example.com", "look at example.com today"),
    ("example.com/foobarbaz", "example.com/foobarbaz"),
    ("example.com/foobarbaz", "www.example.com/foobarbaz"),
    ("example com", "example.com"),
    ("example com", "www.example.com"),
    ("example com", "foo.example.com"),
    ("example com", "foo.example.com/bar"),
    ("example com", "I hope my startup isn’t merely another example of a dot com boom"),
    ("helm's-alee", "helm's-alee"),
]
DOCUMENTED_MISSES = [
    ("Twitter", "TwitterTracker"),
    ("Twitter", "#newtwitter"),
    ("Twitter’s", "@Twitter’s"),
    ("twitter api,twitter streaming", "I’m new to Twitter"),
    ("example.com", "example.com/foobarbaz"),
    ("example.com/foobarbaz", "example.com"),
    ("www.example.com/foobarbaz", "www.example.com/foobarbaz"),
    ("helm's-alee", "#helm's-alee"),
    # Rules 1, 3 and 5 of the same page.
    ("hello.", "hello"),
    ("hello.", "hello, you"),
    ("cafe", "café"),
    ("café", "cafe"),
    ("café", "cafe\u0301"),
    ("new york", "new in town"),
]


@pytest.mark.parametrize(("phrase", "text"), DOCUMENTED_MATCHES)
def test_finds_what_twitter_documents_as_a_match(phrase, text):
    assert finds(phrase, tweet_fields(text))


@pytest.mark.parametrize(("phrase", "text"), DOCUMENTED_MISSES)
def test_does_not_find_what_twitter_documents_as_no_match(phrase, text):
    assert not finds(phrase, tweet_fields(text))


@pytest.mark.parametrize(
    ("phrase", "url", "is_found"),
    [
        ("twitter", "http://twitter.com", True),
        ("example.com", "https://example.com", True),
        ("example.com", "https://example.com/", True),
        ("example.com", "https://www.example.com/", True),
        ("example.com", "https://example.com/foobarbaz", False),
        ("example.com/foobarbaz", "https://www.example.com/foobarbaz", True),
        ("example.com/foobarbaz", "https://example.com/foobarbaz?utm=x#top", True),
        ("example.com/foobarbaz?utm=x", "https://example.com/foobarbaz?utm=x", True),
        ("example.com/foobarbaz", "https://example.com", False),
        ("www.example.com/foobarbaz", "https://www.example.com/foobarbaz", False),
        ("www.example.com", "https://www.example.com", False),
        ("https://example.com/a", "https://example.com/a", True),
        ("example com", "https://foo.example.com/bar", True),
        ("example.com/foo_bar", "https://example.com/foo_bar", True),
        ("foobar", "https://example.com/foobarbaz", False),
    ],
)
def test_a_link_is_one_word_and_the_words_of_its_address(phrase, url, is_found):
    assert finds(phrase, with_link(url)) is is_found


@pytest.mark.parametrize(
    ("phrase", "text", "is_found"),
    [
        ("#storm", "a #Storm comes", True),
        ("#storm", "a storm comes", False),
        ("#storm", "#stormy", False),
        ("#storm", "(#storm)", True),
        ("#storm", "#storm's over", True),
        ("#storm", "a＃storm and ＃STORM", True),
        ("storm", "#storm", True),
        ("#flood #warning", "#warning: #flood", True),
        ("#flood #warning", "#warning: flood", False),
        ("@bo", "hello @Bo!", True),
        ("@bo", ".@bo said", True),
        ("@bo", "bo", False),
        ("@bo", "me@bo", False),
        ("foo_bar", "@foo_bar", True),
        ("foo_bar", "#foo_bar", True),
        ("foo_bar", "a foo_bar here", True),
        ("@foo_bar", "hi @foo_bar.", True),
        ("foo", "a foo_bar here", True),
        ("foo", "@foo_bar", False),
        ("bar", "#foo_bar", False),
        ("cafe\u0301_x", "#cafe\u0301_x", True),
        ("twtr", "buy $TWTR now", True),
        ("$twtr", "buy $TWTR, now", True),
        ("$twtr", "buy TWTR", False),
        ("$twtr", "$twtrx", False),
        ("$100", "it cost $100!", True),
        ("$1", "it cost $1,000", False),
    ],
)
def test_hashtags_mentions_and_cashtags(phrase, text, is_found):
    assert finds(phrase, tweet_fields(text)) is is_found


@pytest.mark.parametrize(
    ("phrase", "text", "is_found"),
    [
        ("hello.", "hello.", True),
        ("at&t", "AT&amp;T, again", True),
        ("at&t", "(AT&amp;T)", True),
        ("<3", "I &lt;3 you", True),
        ("lt", "I &lt;3 you", False),
        ("don't", "I don't know", True),
        ("don't", "I don’t know", False),
        ("don’t", "I “don’t” know", True),
        (".net", "(.NET), he said", True),
        ("c++", "C++!", True),
        ("c#", "some C#.", True),
        ("100%", "100%!", True),
        ("...", "well ... yes", True),
        ("...", "well", False),
        ("&", "a &amp; b", True),
        ("ῥόδος", "ΡΌΔΟΣ", False),
        ("ρόδος", "ΡΌΔΟΣ’s", True),
        ("हिन्दी", "मैं हिन्दी बोलता हूँ", True),
        ("ह", "हिन्दी", False),
        ("bitcoin", "bitcoin价格上涨", True),
        ("价格", "bitcoin价格", True),
        ("价", "bitcoin价格", False),
        ("bitcoin价格", "bitcoin价格", True),
        ("bitcoin", "#bitcoin价格", False),
        ("#bitcoin价格", "#bitcoin价格", True),
        ("at&t", "...AT&amp;T", True),
        ("#foo_bar's", "/#foo_bar's", True),
        ("🔥", "so hot🔥🔥", True),
        ("hot", "so hot🔥🔥", True),
        ("❤️", "I ❤ you", True),
        ("👩‍🚀", "👩‍🚀!", True),
        ("👩", "👩‍🚀", False),
        ("🇳🇴", "🇸🇪🇳🇴", True),
    ],
)
def test_decided_where_the_documents_are_silent(phrase, text, is_found):
    assert finds(phrase, tweet_fields(text)) is is_found


CUT = "The beginning of the text is about sto… https://t.co/short"
SELF_LINK = {
    "urls": [link("https://twitter.com/i/web/status/900000000000000010", "twitter.com/i/web/status/9…")]
}
EXTENDED = {
    "full_text": "The beginning of the text is about stones and ends far behind",
    "entities": {"hashtags": [{"text": "Geology"}], "urls": [link("https://example.org/a")]},
    "extended_entities": {"media": [link("https://twitter.com/a/status/1/photo/1", "pic.twitter.com/zyx")]},
}
LONG = tweet_fields(CUT, truncated=True, entities=SELF_LINK, extended_tweet=EXTENDED)


@pytest.mark.parametrize(
    ("phrase", "is_found"),
    [
        ("far behind", True),
        ("#geology", True),
        ("example.org/a", True),
        ("pic.twitter.com/zyx", True),
        ("sto", False),
    ],
)
def test_a_cut_tweet_is_searched_in_its_extended_form(phrase, is_found):
    assert finds(phrase, LONG) is is_found


@pytest.mark.parametrize("phrase", ["twitter", "web status", "sto"])
def test_what_twitter_put_into_a_cut_text_is_not_searched(phrase):
    without_media = EXTENDED | {"extended_entities": None}
    assert not finds(phrase, LONG | {"extended_tweet": without_media})
    assert not finds(phrase, tweet_fields(CUT, truncated=True, entities=SELF_LINK))


@pytest.mark.parametrize(
    "text", ["a storm sto…https://t.co/a", "a  storm  …", "a storm sto… https://t.co/a "]
)
def test_the_word_before_a_cut_word_stays_whole(text):
    outer = tweet_fields(text, retweeted_status=tweet_fields("x"))
    assert finds("storm", outer)
    assert not finds("sto", outer)
    assert not finds("…", tweet_fields("sto…", retweeted_status=tweet_fields("x")))


def test_an_ellipsis_that_the_author_wrote_cuts_nothing():
    assert finds("wait", tweet_fields("please wait…"))


INNER = tweet_fields(
    "the inner text goes on and on about a #volcano",
    id_str="7",
    user={"id_str": "8", "screen_name": "vera"},
    entities={"hashtags": [{"text": "volcano"}], "urls": [link("https://lava.example/flow")]},
)


@pytest.mark.parametrize(
    ("phrase", "is_found"),
    [
        ("volcano", True),
        ("#volcano inner", True),
        ("lava.example/flow", True),
        ("vera", True),
        ("rt", True),
        ("vol", False),
    ],
)
def test_a_retweet_is_searched_in_the_tweet_that_it_repeats(phrase, is_found):
    outer = tweet_fields(
        "RT @Vera: the inner text goes on and on about a #vol…",
        retweeted_status=INNER,
        entities={"user_mentions": [{"id_str": "8", "screen_name": "Vera"}]},
    )
    assert finds(phrase, outer) is is_found


@pytest.mark.parametrize(
    "phrase", ["comment", "volcano", "lava example flow", "far behind", "comment volcano"]
)
def test_a_quote_is_searched_in_the_quoted_tweet_too(phrase):
    quoted = INNER | {"extended_tweet": EXTENDED} if phrase == "far behind" else INNER
    assert finds(phrase, tweet_fields("my comment", quoted_status=quoted))
    assert finds(
        phrase, tweet_fields("RT @x: my", retweeted_status=tweet_fields("my comment", quoted_status=quoted))
    )


@pytest.mark.parametrize("holder", ["entities", "extended_entities"])
def test_addresses_of_media_are_searched(holder):
    media = {"media": [link("https://twitter.com/bo/status/1/photo/1", "pic.twitter.com/abc")]}
    assert finds("pic.twitter.com/abc", tweet_fields("look", **{holder: media}))
    assert finds("photo", tweet_fields("look", **{holder: media}))


@pytest.mark.parametrize(
    ("entities", "phrase"),
    [
        ({"hashtags": [{"text": "Storm"}]}, "#storm"),
        ({"hashtags": [{"text": "Storm"}]}, "storm"),
        ({"symbols": [{"text": "TWTR"}]}, "$twtr"),
        ({"symbols": [{"text": "TWTR"}]}, "twtr"),
        ({"user_mentions": [{"id_str": "1", "screen_name": "Bo_B"}]}, "bo_b"),
        ({"user_mentions": [{"id_str": "1", "screen_name": "Bo_B"}]}, "@bo_b"),
    ],
)
def test_entities_are_searched(entities, phrase):
    assert finds(phrase, tweet_fields("look", entities=entities))


@pytest.mark.parametrize("phrase", ["ann", "42", "oslo"])
def test_the_author_and_the_place_are_not_searched(phrase):
    assert not finds(phrase, tweet_fields("look", place={"name": "Oslo", "bounding_box": None}))


def test_every_rule_that_matched_is_reported_once_and_no_other():
    rules = [
        rule("track:0", 0, "storm"),
        rule("track:0", 1, "calm"),
        rule("track:0", 2, "flood warning", "storm warning", "#storm"),
        rule("track:0", 3, "storm"),
        rule("track:0", 4, "storm calm"),
    ]
    assert Matcher(rules).match(decoded(tweet_fields("Storm warning #storm"))) == [0, 2, 3]


def test_a_phrase_that_is_blank_once_folded_matches_nothing():
    assert Matcher([rule("track:0", 0, "\ufe0f")]).match(decoded(tweet_fields("anything \ufe0f"))) == []


def test_a_word_that_comes_often_has_its_phrases_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    index = TrackIndex({"#storm": (0,), "@storm": (1,), "$storm": (2,)})  # all filed under one word
    compared: list[Phrase] = []
    is_in = Phrase.is_in
    monkeypatch.setattr(Phrase, "is_in", lambda self, words: compared.append(self) or is_in(self, words))
    assert index.match("#storm " * 50) == {0}
    assert len(compared) == 3


def is_border_of(char: str) -> bool:
    is_word = unicodedata.category(char)[0] in "LMN" or char in "\u200c\u200d"
    return not (is_word or char.isspace() or unicodedata.category(char) in ("Cn", "Co", "Cs"))


BORDERS = [chr(code) for code in range(0x21, 0x20000) if is_border_of(chr(code))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("café", set()),
        ("ébar", set()),
        ("foo été bar", {1, 2}),
        ("foo barré", set()),
        ("fooé bar", {2}),
        ("barré foo bar", {1, 2}),
        ("ébar bar", {2}),
        ("bar価", {2}),
        ("caf… 価foo bar価", {0, 1, 2}),
        ("#barée foo #caf…", {0}),
        ("@barさん foo", {1, 2}),
        ("#foo・bar", set()),
        ("#baz fooé", set()),
        ("é #baz foo", {3}),
    ],
)
def test_a_rule_of_ascii_is_found_beside_other_characters_where_they_part_words(text, found):
    phrases = {"caf": (0,), "foo bar": (1,), "bar": (2,), "#baz foo": (3,)}
    assert TrackIndex(phrases).match(text) == found
    assert TrackIndex({**phrases, "où": (4,)}).match(text) == found


@pytest.mark.parametrize("form", ["zz {}{} yy", "zz {}{}", "zz {}{}の"])
def test_a_term_with_punctuation_inside_ends_wherever_a_plain_word_does(form):
    index = TrackIndex({"covid": (0,), "covid-19": (1,), "u.s": (2,), "u": (3,)})
    for border in BORDERS:
        assert index.match(form.format("COVID", border)) == {0}, border
        assert index.match(form.format("COVID-19", border)) == {0, 1}, border
        assert index.match(form.format("U.S", border)) == {2, 3}, border


@pytest.mark.parametrize("form", ["zz {}{} yy", "{}{} yy", "の{}{} yy"])
def test_and_begins_wherever_a_plain_word_does(form):
    index = TrackIndex({"covid": (0,), "covid-19": (1,), "u.s": (2,), "u": (3,)})
    for border in BORDERS:
        if border in "#＃@＠$":  # what begins with it is a tag
            continue
        assert index.match(form.format(border, "COVID")) == {0}, border
        assert index.match(form.format(border, "COVID-19")) == {0, 1}, border
        assert index.match(form.format(border, "U.S")) == {2, 3}, border


@pytest.mark.parametrize(
    ("phrase", "text", "is_found"),
    [
        ("covid-19", "COVID-19-Pandemie", True),
        ("covid-19", "post-COVID-19", True),
        ("covid-19", "COVID-19's", True),
        ("covid-19", "新型COVID-19の影響", True),
        ("covid-19", "#covid19,covid-19", True),
        ("covid-19", "COVID-190", False),
        ("covid-19", "COVID-19.5", False),
        ("covid-19", "COVID-19ème", False),
        ("covid-19", "xcovid-19", False),
        ("covid-19", "#covid-19", False),
        ("covid-19", "#my_covid-19", False),
        ("covid-19", "https://foo.com/covid-19-news", True),
        ("île-de-france", "à l’Île-de-France", True),
        ("新型covid-19", "新型COVID-19の影響", True),
        ("型covid-19", "新型COVID-19", False),
        ("at&t", "AT&amp;T’s", True),
        ("c++", "c++11", False),
        ("c++", "C++の", True),
        ("1-2", "3.1-2", False),
        ("foo🔥-x", "foo🔥-x!", True),
        ("x-👩", "x-👩‍🚀", False),
        ("x-👍", "x-👍🏽", False),
        ("example.com", "example.com’s page", True),
        ("example.com", "(example.com)の", True),
        ("example.com", "foo.example.com", False),
        ("example.com", "my-example.com", False),
        ("example.com", "me@example.com", False),
        ("example.com", "example.com:8080", False),
        ("example.com", "example.com-foo", False),
        ("24/7", "24/7,", True),
        ("#fooの", "#fooの・x", False),
        ("#fooの・x", "#fooの・x", True),
        ("ジョン", "ジョン・スミス", True),
        ("#2020", "in #2020!", True),
        ("2020", "#2020_2021", True),
        ("#m", "5 #m²", True),
        ("@foo", "@fooさん", True),
        ("foo", "@fooさん", True),
        ("foo", "@foobarさん", False),
        ("@foo", "@fooé", False),
        ("می\u200cخواهم", "من می\u200cخواهم، نه", True),
        ("می", "می\u200cخواهم", False),
        ("می", "می\u200c خواهم", True),
        ("#می", "#می\u200c ", True),
        ("ශ්\u200dරී", "(ශ්\u200dරී)", True),
        ("covid-19", "covid-19\u200c.", True),
        ("covid-19", "covid-19\u200cخواهم", False),
    ],
)
def test_borders_of_words_and_tags(phrase, text, is_found):
    assert finds(phrase, tweet_fields(text)) is is_found


@pytest.mark.parametrize(
    ("phrase", "is_found"),
    [
        ("brk.b", True),
        ("$brk.b", True),
        ("brk", False),
        ("b", False),
        ("foo-bar", True),
        ("#foo-bar", True),
        ("#foo", False),
        ("foo", False),
        ("bar", False),
        ("barista", True),
    ],
)
def test_what_an_entity_names_is_one_word_whatever_characters_it_has(phrase, is_found):
    named = {"symbols": [{"text": "BRK.B"}], "hashtags": [{"text": "foo-bar"}]}
    assert finds(phrase, tweet_fields("buy $BRK.B now ＃Foo-bar barista", entities=named)) is is_found


@pytest.mark.parametrize(
    "named", [{"hashtags": [{"text": "می\u200cخواهم\u200c"}]}, {"hashtags": [{"text": ""}]}]
)
def test_joiners_at_the_end_and_empty_names_are_left_out(named):
    assert finds("می\u200cخواهم", tweet_fields("x", entities=named)) is bool(named["hashtags"][0]["text"])


def test_a_long_text_of_nothing_but_punctuation_is_no_burden():
    assert TrackIndex({"foo .": (0,), "foo #.": (1,)}).match("foo " + "." * 200_000 + "x") == {0}
