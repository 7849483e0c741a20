"""Which values are rules, and where the others are wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.rule import parse_rule

VALID = """
storm
flood warning
cat OR dog
"coca cola" OR coca
"coca-cola"
"social media"~5
"a b c storm"~6
(😃 OR 😡) 😬
☕
"☕\ufe0f"
#xapiv2
#größe_1 #हिन्दी #l·l
@XDevelopers -@x
$twtr OR $BRK.B
from:42 OR to:42 OR retweets_of:42
from:ann
From:Ann
from:"ann"
conversation_id:1334987486343299072
in_reply_to_tweet_id:12 OR retweets_of_tweet_id:12
url:"https://developer.x.com/a"
url:example
url_contains:photos
url_contains:"com/a-b"
(storm url:"example.org/a")
bounding_box:[-105.301758 39.964069 -105.178505 40.09455]
geo_bounding_box:[10.6 59.8 10.9 60.1]
point_radius:[2.355128 48.861118 16km]
point_radius:[2.355128 48.861118 10mi]
place:"new york city" OR place:seattle
place_country:NO
"X data" has:mentions (has:media OR has:links)
storm lang:en -is:retweet
storm -is:nullcast
storm sample:15
the OR storm
"the storm"
storm followers_count:500 tweets_count:1000..10000
context:10.799022225751871488
entity:"Michael Jordan"
bio:"data engineer"
((((storm))))
storm(cat OR dog)
"or" "and" storm
"from:x"
"""


@pytest.mark.parametrize("value", VALID.strip().splitlines())
def test_a_rule_is_taken(value):
    assert parse_rule(value).value == value


INVALID = [
    ("", 1, "empty"),
    ("   ", 1, "empty"),
    ("-storm", 1, "positive"),
    ("storm OR -cat", 1, "positive"),
    ("has:media", 1, "stand alone"),
    ("has:links OR is:retweet", 1, "stand alone"),
    ("storm OR has:links", 1, "stand alone"),
    ("-cat lang:en", 1, "stand alone"),
    ("followers_count:10", 1, "stand alone"),
    ("the", 1, "stop word"),
    ("the lang:en", 1, "stop word"),
    ('"the a" OR to', 1, "stop word"),
    ("skiing -(snow OR day)", 8, "group cannot be negated"),
    ("storm -sample:10", 7, "cannot be negated"),
    ("storm is:nullcast", 7, "must be negated"),
    ("storm --cat", 8, "character '-'"),
    ("storm - cat", 8, "keyword is expected"),
    ("coca-cola", 5, "character '-'"),
    ("storm helm's", 11, 'character "\'"'),
    ("example.com", 8, "character '.'"),
    ("flood, warning", 6, "character ','"),
    ("☕\ufe0f", 2, "quotes"),
    ("snow_storm", 5, "character '_'"),
    ("storm and cat", 7, "'and'"),
    ("storm AND cat", 7, "'AND'"),
    ("storm or cat", 7, "'or'"),
    ("storm NOT cat", 7, "'NOT'"),
    ("OR storm", 1, "is expected"),
    ("storm OR", 9, "is expected"),
    ("storm OR OR cat", 10, "is expected"),
    ("storm ()", 8, "is expected"),
    ("(storm", 1, "')'"),
    ("cat (storm", 5, "')'"),
    ("storm)", 6, "'('"),
    ('storm "cat', 7, "closing quote"),
    ('"..."', 1, "finds nothing"),
    ('"cat"dog', 6, "blank"),
    ('cat"dog"', 4, "blank"),
    ('"a b"~7', 1, "proximity"),
    ('"a b"~0', 1, "proximity"),
    ('"a b"~', 1, "proximity"),
    ('"cat"~3', 1, "proximity"),
    ("https://t.co/x", 1, "invalid operator 'https'"),
    ("storm xyz:cat", 7, "invalid operator 'xyz'"),
    ("storm embedding:cat", 7, "invalid operator 'embedding'"),
    ("from:", 6, "argument is expected"),
    ("from:@ann", 6, "user name"),
    ("from:42,43", 6, "user name"),
    ("storm has:nope", 11, "has:"),
    ("storm is:nope", 10, "is:"),
    ("storm lang:xx", 12, "lang:"),
    ("storm sample:0", 14, "percentage"),
    ("storm sample:101", 14, "percentage"),
    ("#", 1, "hashtag"),
    ("#a-b", 3, "character '-'"),
    ("@", 1, "mention"),
    ("@a-b", 3, "character '-'"),
    ("$1", 1, "cashtag"),
    ("bounding_box:[0 0 1 1]", 14, "miles"),
    ("bounding_box:[0 0 0.1 0.4]", 14, "miles"),
    ("bounding_box:[0 0 0.4 0.1]", 14, "miles"),
    ("bounding_box:[0,0,0.1,0.1]", 14, "expected"),
    ("bounding_box:[0 0 0.1]", 14, "expected"),
    ("bounding_box:[0.1 0 0 0.1]", 14, "less than"),
    ("bounding_box:[0 0 0.1 x]", 14, "decimal degrees"),
    ("bounding_box:[190 0 190.1 0.1]", 14, "longitudes"),
    ("bounding_box:0", 14, "expected"),
    ("bounding_box:[0 0", 14, "']'"),
    ("point_radius:[2.35 48.86 25mi]", 14, "under 25"),
    ("point_radius:[2.35 48.86 41km]", 14, "under 25"),
    ("point_radius:[2.35 48.86 0mi]", 14, "under 25"),
    ("point_radius:[2.35 48.86 16]", 14, "radius like"),
    ("place_country:Norway", 15, "two letters"),
    ("storm followers_count:9..1", 23, "ends before"),
    ("conversation_id:abc", 17, "id of a post"),
    ('bio:"!"', 5, "phrase"),
    ("(" * 60 + "storm" + ")" * 60, 51, "too many groups"),
]


@pytest.mark.parametrize(("value", "position", "part"), INVALID)
def test_a_refusal_says_what_and_where(value, position, part):
    with pytest.raises(InvalidRule) as refused:
        parse_rule(value)
    assert refused.value.details[0].endswith(f"(at position {position})")
    assert part in refused.value.details[0]


def test_the_length_counts_all_characters():
    value = "x" * 1024
    assert parse_rule(value)
    with pytest.raises(InvalidRule, match=r"1024 characters; this has 1025 \(at position 1\)"):
        parse_rule(value + "x")
    assert parse_rule(value + "x", 2048)


def test_a_box_is_as_wide_as_where_it_is_nearest_to_the_equator():
    assert parse_rule("bounding_box:[10 60 10.7 60.3]")  # 0.7 degrees are 24.2 miles there
    assert parse_rule("bounding_box:[10 -60.3 10.7 -60]")
    with pytest.raises(InvalidRule, match="miles"):
        parse_rule("bounding_box:[10 58 10.7 58.3]")


ANYTHING = st.text(alphabet=st.sampled_from('abOR"()-:#@$[]~1 .\u00e9☕\n') | st.characters(), max_size=40)


@given(ANYTHING)
def test_any_text_is_a_rule_or_refused_with_a_position_inside_it(value):
    try:
        parse_rule(value)
    except InvalidRule as problem:
        position = int(problem.details[0].rpartition("position ")[2].rstrip(")"))
        assert 1 <= position <= len(value) + 1
