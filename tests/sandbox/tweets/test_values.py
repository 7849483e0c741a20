"""Values: what is the same to Twitter is equal here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.sandbox.errors import BadInput, Refused
from traptor.sandbox.tweets.rules import load_rules, parse_rules
from traptor.sandbox.tweets.values import FilterType, Value, parse_loose, parse_rule, parse_values
from traptor.sandbox.v1.filters import Limits, parse_filter


def texts(kind, text):
    return [value.text for value in parse_values(FilterType(kind), text)]


@given(st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1, max_size=15))
def test_normalising_a_phrase_twice_changes_nothing(text):
    try:
        once = texts("track", text)
    except BadInput:
        return
    if len(once[0].encode()) <= 60:  # lower case may be longer
        assert texts("track", once[0]) == once


def test_case_and_blanks_do_not_tell_phrases_apart():
    assert texts("track", " Flood   WARNING ,flood warning") == ["flood warning"]


def test_a_phrase_may_have_60_bytes_and_no_more():
    assert texts("track", "é" * 30)
    with pytest.raises(BadInput, match="62 bytes"):
        parse_values(FilterType.TRACK, "é" * 31)


@pytest.mark.parametrize("text", ["", " ", "a,,b", "a,"])
def test_an_empty_phrase_is_bad(text):
    with pytest.raises(BadInput, match="empty phrase"):
        parse_values(FilterType.TRACK, text)


@pytest.mark.parametrize("text", ["jack", "-1", "0", "1.5", "", "12,", "9" * 19, "1" * 20, "\u0661"])
def test_a_user_id_is_a_positive_number_of_64_bits(text):
    with pytest.raises(BadInput, match="not a user id"):
        parse_values(FilterType.FOLLOW, text)


def test_leading_zeros_do_not_tell_user_ids_apart():
    assert texts("follow", "0012, 12") == ["12"]


def test_boxes_are_compared_as_numbers():
    assert texts("locations", "-10,20,5,40.0,-10.00,2e1, 5.0,40") == ["-10.0,20.0,5.0,40.0"]


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3",
        "1,2,3,4,5",
        "a,2,3,4",
        "5,20,-10,40",
        "-10,40,5,20",
        "-10,20,-10,40",
        "-181,0,0,1",
        "0,-91,1,1",
        "0,0,181,1",
        "0,0,1,91",
        "nan,0,1,1",
        "0,0,inf,1",
    ],
)
def test_a_box_is_four_numbers_in_order_on_the_map(text):
    with pytest.raises(BadInput):
        parse_values(FilterType.LOCATIONS, text)


def test_a_bare_string_is_taken_for_what_it_looks_like():
    assert parse_loose("12") == [Value(FilterType.FOLLOW, "12")]
    assert parse_loose("flood") == [Value(FilterType.TRACK, "flood")]
    assert parse_loose("a,b,c,d") == [Value(FilterType.TRACK, text) for text in "abcd"]
    assert parse_loose("1,2,3,4")[0].box() == (1, 2, 3, 4)
    assert parse_loose({"type": "track", "value": "12"}) == [Value(FilterType.TRACK, "12")]


def test_a_box_in_the_wrong_order_is_not_taken_for_phrases():
    with pytest.raises(BadInput, match="in the order"):
        parse_loose("5,20,-10,40")


def test_location_is_accepted_for_locations():
    assert parse_rule({"type": "location", "value": "1,2,3,4"})[0].type is FilterType.LOCATIONS


@pytest.mark.parametrize(
    "rule", [None, "x", {}, {"type": "track"}, {"type": "x", "value": "y"}, {"type": [], "value": "y"}]
)
def test_what_is_no_rule_is_named_by_its_place(rule):
    with pytest.raises(BadInput, match="rule 2: "):
        parse_rules([{"type": "track", "value": "a"}, rule])


def test_a_rule_file_is_read_and_its_bad_line_is_named(tmp_path):
    path = tmp_path / "rules.jsonl"
    path.write_text('{"type":"track","value":"a,b"}\n\n{"type":"follow","value":"7","tag":"x"}\n')
    rules, values = load_rules(path)
    assert [rule["type"] for rule in rules] == ["track", "follow"]
    assert [value.text for value in values] == ["a", "b", "7"]
    path.write_text('{"type":"track","value":"a"}\n{"type":')
    with pytest.raises(BadInput, match=r"rules\.jsonl:2: not JSON"):
        load_rules(path)
    with pytest.raises(BadInput, match="cannot be read"):
        load_rules(tmp_path / "none")


def status_of(*pairs, limits=None):
    with pytest.raises(Refused) as refusal:
        parse_filter(pairs, limits or Limits())
    return refusal.value.status


def test_a_filter_holds_what_was_asked_for():
    wanted = parse_filter(
        [("track", "b,A"), ("follow", "1"), ("stall_warnings", "true"), ("delimited", "length")], Limits()
    )
    assert wanted.values == {"track": ("b", "a"), "follow": ("1",)}
    assert wanted.is_delimited
    assert wanted.other == {"stall_warnings": "true", "delimited": "length"}
    assert Value(FilterType.TRACK, "a") in wanted.wanted()


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("track", ""),),
        (("stall_warnings", "true"),),
        (("track", "a,,b"),),
        (("track", "x" * 61),),
        (("follow", "jack"),),
        (("follow", "1"), ("locations", "5,1,0,2")),
    ],
)
def test_a_value_that_twitter_does_not_take_is_406(pairs):
    assert status_of(*pairs) == 406


def test_count_is_416():
    assert status_of(("track", "a"), ("count", "100")) == 416


@pytest.mark.parametrize(
    ("name", "most", "item"),
    [
        ("track", 400, lambda n: f"word{n}"),
        ("follow", 5000, lambda n: str(n + 1)),
        ("locations", 25, lambda n: f"{n},{n},{n + 1},{n + 1}"),
    ],
)
def test_one_value_more_than_the_limit_is_413(name, most, item):
    items = [item(n) for n in range(most)]
    wanted = parse_filter([(name, ",".join([*items, items[0]]))], Limits())  # an equal one counts once
    assert len(wanted.wanted()) == most
    assert status_of((name, ",".join([*items, item(most)]))) == 413


def test_the_limits_can_be_set():
    assert status_of(("track", "a,b,c"), limits=Limits(track=2)) == 413
