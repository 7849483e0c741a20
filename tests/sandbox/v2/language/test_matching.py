"""Which posts a rule finds: a table of X's documented semantics, and the index against plain evaluation."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.v2.language.facts import Content, Facts, Profile, Where, names
from traptor.sandbox.v2.language.geometry import Box
from traptor.sandbox.v2.language.index import FilterIndex
from traptor.sandbox.v2.language.rule import parse_rule
from traptor.sandbox.v2.language.words import spaced, split


def said(text, hashtags=(), mentions=(), cashtags=(), urls=()):
    return Content(
        tuple(split(text)),
        frozenset(hashtags),
        frozenset(mentions),
        frozenset(cashtags),
        tuple(urls),
    )


def post(text="", quoted=None, **facts):
    entities = {name: facts.pop(name, ()) for name in ("hashtags", "mentions", "cashtags", "urls")}
    contents = (said(text, **entities),) + ((quoted,) if quoted else ())
    return Facts("900000000000000010", contents, **facts)


TEXTS = [  # rule, text, found
    ("storm", "A STORM, today", True),
    ("STORM", "a storm", True),
    ("storm", "stormy", False),
    ("storm", "#storm", True),
    ("storm", "brain-storm", True),
    ("storm", "snow_storm", True),
    ("coca cola", "cola and coca", True),
    ('"coca cola"', "cola coca", False),
    ('"coca cola"', "Coca-Cola", True),
    ('"coca-cola"', "coca cola", True),
    ('"coca cola"', "coca zero cola", False),
    ('"coca cola"', "coca colas", False),
    ('"helm\'s"', "the helm's alee", True),
    ("diacrítica", "diacrítica", True),
    ("diacrítica", "Diacri\u0301tica", True),
    ("diacrítica", "diacritica", False),
    ("diacritica", "diacrítica", False),
    ("ΟΔΟΣ", "οδος", True),
    ("हिन्दी", "यह हिन्दी है", True),
    ("😃", "so😃glad", True),
    ("😃", "😡", False),
    ('"☕\ufe0f"', "coffee ☕", True),
    ("🇳🇴", "in 🇳🇴!", True),
    ("🇳🇴", "in 🇴🇳!", False),
    ('"a b"~1', "a b", True),
    ('"coca cola"~1', "coca zero cola", True),
    ('"coca cola"~1', "coca or zero cola", False),
    ('"coca cola"~1', "cola coca", False),
    ('"coca cola"~2', "cola coca", True),
    ('"coca cola"~2', "cola or coca", False),
    ('"coca cola"~3', "cola or coca", True),
    ('"coca cola"~6', "coca", False),
    ('"big red dog"~1', "big red old dog", True),
    ('"big red dog"~1', "big and red old dog", False),
    ("cat OR dog", "a dog", True),
    ("a OR b c", "b", False),
    ("a OR b c", "b c", True),
    ("b c OR a", "a", True),
    ("(a OR b) c", "a", False),
    ("(a OR b) c", "a c", True),
    ("cat -dog", "cat dog", False),
    ("cat -dog", "cat", True),
    ('cat -"big dog"', "cat dog big", True),
    ("storm sample:100", "storm", True),
    ("the OR storm", "the", True),
    ("entity:storm", "storm", False),
    ("context:1.2 OR storm", "storm", True),
    ("from_affiliate_of:x", "storm", False),
]


@pytest.mark.parametrize(("value", "text", "is_found"), TEXTS)
def test_text(value, text, is_found):
    assert parse_rule(value).matches(post(text)) is is_found


QUOTED = said("inner storm", {"ice"}, {"bo"}, {"twtr"}, ["https://example.org/inner"])
ANN = names(42, "Ann")
BO = names(7, "bo")
POINT = Where(point=(10.75, 59.91), place_box=Box(0, 50, 20, 70), country_code="no")
PLACE = Where(
    place_box=Box(10.7, 59.9, 10.8, 59.95),
    place_id="aa11",
    place_names=(spaced(["oslo"]), spaced(["oslo", "norway"])),
    country_code="no",
)
OSLO = "bounding_box:[10.6 59.85 10.9 60.0]"
FACTS = [  # rule, facts, found
    ("#storm", {"hashtags": {"storm"}}, True),
    ("#Storm", {"hashtags": {"storm"}}, True),
    ("#storm", {"hashtags": {"storms"}}, False),
    ("#storm", {"text": "storm"}, False),
    ("@Bo", {"mentions": {"bo"}}, True),
    ("@bo", {"text": "bo"}, False),
    ("$TWTR", {"cashtags": {"twtr"}}, True),
    ("inner storm", {"quoted": QUOTED}, True),
    ("outer inner", {"text": "outer", "quoted": QUOTED}, True),
    ('"outer inner"', {"text": "outer", "quoted": QUOTED}, False),
    ("#ice @bo $twtr url:inner", {"quoted": QUOTED}, True),
    ("outer -inner", {"text": "outer", "quoted": QUOTED}, False),
    ("from:42", {"author": ANN}, True),
    ("from:ANN", {"author": ANN}, True),
    ("from:7", {"author": ANN}, False),
    ("from:42", {"reply_to": ANN}, False),
    ("to:42", {"reply_to": ANN}, True),
    ("to:ann", {"reply_to": ANN}, True),
    ("to:42", {"mentions": {"ann"}}, False),
    ("retweets_of:7", {"repost_of": BO}, True),
    ("retweets_of_user:bo", {"repost_of": BO}, True),
    ("retweets_of:7", {"author": BO}, False),
    ("from:42 OR to:42 OR retweets_of:42", {"repost_of": ANN}, True),
    ("conversation_id:5", {"conversation_id": "5"}, True),
    ("in_reply_to_status_id:5", {"replied_id": "5"}, True),
    ("retweets_of_tweet_id:5", {"reposted_id": "5"}, True),
    ("retweets_of_tweet_id:5", {"replied_id": "5"}, False),
    ("url:example", {"urls": ["https://example.org/a-b?c"]}, True),
    ('url:"https://example.org/a"', {"urls": ["https://example.org/a-b?c"]}, True),
    ('url:"example.org/b"', {"urls": ["https://example.org/a-b?c"]}, False),
    ("url:exam", {"urls": ["https://example.org/a-b?c"]}, False),
    ('url_contains:"LE.org/A-"', {"urls": ["https://example.org/a-b?c"]}, True),
    ('url_contains:"le/org"', {"urls": ["https://example.org/a-b?c"]}, False),
    ("example", {"urls": ["https://example.org/a-b?c"]}, False),
    (OSLO, {"where": POINT}, True),
    (OSLO, {"where": PLACE}, True),
    (OSLO, {"where": Where(place_box=Box(10.5, 59.9, 10.8, 59.95))}, False),
    (OSLO, {"where": Where(point=(10.5, 59.9), place_box=PLACE.place_box)}, False),
    (OSLO, {}, False),
    ("point_radius:[10.75 59.91 1km]", {"where": POINT}, True),
    ("point_radius:[10.75 59.95 1mi]", {"where": POINT}, False),
    ("point_radius:[10.75 59.92 10mi]", {"where": PLACE}, True),
    ("point_radius:[10.75 59.92 2km]", {"where": PLACE}, False),
    ("place:oslo", {"where": PLACE}, True),
    ('place:"Oslo Norway"', {"where": PLACE}, True),
    ("place:AA11", {"where": PLACE}, True),
    ("place:bergen", {"where": PLACE}, False),
    ("place_country:NO", {"where": PLACE}, True),
    ("place_country:SE", {"where": PLACE}, False),
    ("x has:media", {"text": "x", "has": {"media"}}, True),
    ("x has:media", {"text": "x"}, False),
    ("x has:videos", {"text": "x", "has": {"video_link"}}, True),
    ("x -is:retweet", {"text": "x", "kinds": {"retweet"}}, False),
    ("x -is:nullcast", {"text": "x"}, True),
    ("x lang:EN", {"text": "x", "lang": "en"}, True),
    ("x lang:he", {"text": "x", "lang": "iw"}, True),
    ("x lang:no", {"text": "x", "lang": "en"}, False),
    ('x source:"X for iPhone"', {"text": "x", "source": "x for iphone"}, True),
    ("x followers_count:5..10", {"text": "x", "counts": {"followers": 10}}, True),
    ("x followers_count:5..10", {"text": "x", "counts": {"followers": 11}}, False),
    ("x followers_count:5", {"text": "x", "counts": {"followers": 11}}, True),
    ("x min_likes:1", {"text": "x"}, False),
    ("bio:nurse", {"profile": Profile(bio="A nurse.")}, True),
    ('bio_name:"ann li"', {"profile": Profile(name="Ann Li")}, True),
    ("bio_location:oslo", {"profile": Profile(bio="Oslo")}, False),
]


@pytest.mark.parametrize(("value", "facts", "is_found"), FACTS)
def test_facts(value, facts, is_found):
    assert parse_rule(value).matches(post(**facts)) is is_found


def test_a_sample_is_the_same_for_the_same_post_and_about_as_large_as_asked():
    rule = parse_rule("storm sample:20")
    posts = [dataclasses.replace(post("storm"), post_id=str(n)) for n in range(5000)]
    found = [rule.matches(one) for one in posts]
    assert found == [rule.matches(one) for one in posts]
    assert 900 < sum(found) < 1100


TERMS = {
    "ant": lambda facts: "ant" in facts.contents[0].tokens,
    "bee": lambda facts: "bee" in facts.contents[0].tokens,
    '"cat dog"': lambda facts: " cat dog " in facts.contents[0].spaced,
    "the": lambda facts: "the" in facts.contents[0].tokens,
    "#ice": lambda facts: "ice" in facts.contents[0].hashtags,
    "from:42": lambda facts: "42" in facts.author,
    "to:42": lambda facts: "42" in facts.reply_to,
    "bounding_box:[10 50 10.2 50.2]": lambda facts: facts.where.point == (10.1, 50.1),
    "place_country:NO": lambda facts: facts.where.country_code == "no",
    'url_contains:"x.y"': lambda facts: bool(facts.contents[0].urls),
    "has:media": lambda facts: "media" in facts.has,
    "lang:en": lambda facts: facts.lang == "en",
}


def _not(part):
    return f"-{part[0]}", lambda facts: not part[1](facts)


def _both(parts):
    texts = (f"({text})" if " OR " in text and text[0] != "(" else text for text, _ in parts)
    return " ".join(texts), lambda facts: all(test(facts) for _, test in parts)


def _either(parts):
    return f"({' OR '.join(text for text, _ in parts)})", lambda facts: any(test(facts) for _, test in parts)


LEAVES = st.sampled_from(sorted(TERMS.items()))
TREES = st.recursive(
    LEAVES | LEAVES.map(_not),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(_both)
        | st.lists(inner, min_size=2, max_size=3).map(_either)
    ),
    max_leaves=8,
)
# What makes any rule acceptable leaves its meaning alone where every post has it.
RULES = TREES.map(lambda tree: (f"always {tree[0]}", tree[1])) | TREES.map(
    lambda tree: (f"{tree[0]} #always", tree[1])
)
WORDS = st.lists(st.sampled_from(["ant", "bee", "cat", "dog", "the"]), max_size=6)
POSTS = st.builds(
    lambda words, tags, author, reply_to, where, urls, has, lang: post(
        " ".join([*words, "always"]),
        hashtags={*tags, "always"},
        author=author,
        reply_to=reply_to,
        where=where,
        urls=urls,
        has=has,
        lang=lang,
    ),
    WORDS,
    st.sets(st.sampled_from(["ice", "fire"])),
    st.sampled_from([ANN, BO]),
    st.sampled_from([ANN, frozenset()]),
    st.sampled_from([Where(), Where(point=(10.1, 50.1)), PLACE]),
    st.sampled_from([(), ("https://x.y",)]),
    st.sampled_from([set(), {"media"}]),
    st.sampled_from(["en", "no"]),
)


@given(RULES, POSTS)
def test_a_rule_means_what_its_tree_says(rule, facts):
    value, expected = rule
    assert parse_rule(value).matches(facts) is expected(facts)


SELECTIVE = st.recursive(
    st.sampled_from(sorted(text for text in TERMS if not text.startswith(("has:", "lang:", "the")))),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).map(" ".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' OR '.join(parts)})")
        | inner.map(lambda text: f"{text} -bee")
        | inner.map(lambda text: f"{text} has:media")
    ),
    max_leaves=6,
)


@given(st.lists(SELECTIVE, min_size=1, max_size=12), st.lists(POSTS, min_size=1, max_size=5), st.data())
def test_the_index_finds_what_evaluating_all_rules_finds(values, posts, data):
    rules = {str(number): parse_rule(value) for number, value in enumerate(values)}
    index = FilterIndex()
    for filter_id, rule in rules.items():
        index.add(filter_id, rule)
    for filter_id in data.draw(st.sets(st.sampled_from(sorted(rules)))):
        index.remove(filter_id)
        del rules[filter_id]
    assert len(index) == len(rules)
    for facts in posts:
        assert index.matching(facts) == [name for name, rule in rules.items() if rule.matches(facts)]


def test_the_index_looks_at_few_of_many_rules():
    index = FilterIndex()
    for number in range(500):
        users = " OR ".join(
            f"from:{n} OR to:{n} OR retweets_of:{n}" for n in range(number * 11, number * 11 + 11)
        )
        index.add(f"f{number}", parse_rule(users))
    for number in range(352):
        index.add(f"t{number}", parse_rule(f"the word{number}"))
    facts = post("the word7 of the day", author=names(42, "ann"))
    assert index.candidates(facts) == {"f3", "t7"}
    assert index.matching(facts) == ["f3", "t7"]
    index.remove("t7")
    index.remove("unknown")
    assert index.matching(facts) == ["f3"]
