"""Twitter's documented semantics of `locations`."""

import pytest
from support.making_tweets import decoded, place, rule, tweet_fields

from traptor.worker.match.locations import PLAIN_BOXES
from traptor.worker.match.matcher import Matcher

OSLO = "10.5,59.8,10.9,60.1"
FAR_AWAY = [
    rule("locations:0", number, f"{number % 150},-60,{number % 150 + 0.5},-59.5") for number in range(300)
]


@pytest.fixture(params=["a few boxes", "a grid of boxes"])
def matches(request):
    others = FAR_AWAY[:2] if request.param == "a few boxes" else FAR_AWAY
    assert (len(others) > PLAIN_BOXES) == (request.param != "a few boxes")
    matcher = Matcher([*others, rule("locations:0", "oslo", OSLO)])

    def is_in_oslo(**members):
        found = matcher.match(decoded(tweet_fields(**members)))
        assert found in ([], [len(others)])
        return bool(found)

    return is_in_oslo


def point(longitude, latitude):
    return {"type": "Point", "coordinates": [longitude, latitude]}


def test_a_point_inside_matches_and_one_outside_does_not(matches):
    assert matches(coordinates=point(10.75, 59.91))
    assert not matches(coordinates=point(59.91, 10.75))
    assert not matches(coordinates=point(10.75, 60.2))


@pytest.mark.parametrize("corner", [(10.5, 59.8), (10.9, 60.1), (10.5, 60.1), (10.7, 60.1)])
def test_a_point_on_the_border_matches(matches, corner):
    assert matches(coordinates=point(*corner))


def test_where_there_is_a_point_the_place_is_not_asked(matches):
    assert not matches(coordinates=point(0, 0), place=place(10.5, 59.8, 10.9, 60.1))


@pytest.mark.parametrize(
    ("bounds", "is_found"),
    [
        ((10.6, 59.9, 10.7, 60.0), True),  # within the box
        ((4.0, 57.9, 31.0, 71.2), True),  # the country around it
        ((10.8, 60.0, 11.5, 60.5), True),  # a corner
        ((10.6, 50.0, 10.7, 65.0), True),  # right across, no corner inside
        ((10.9, 60.1, 11.0, 61.0), True),  # touches at a point
        ((10.7, 59.9, 10.7, 59.9), True),  # a place that is a point
        ((11.0, 59.8, 11.5, 60.1), False),
        ((10.5, 60.2, 10.9, 60.3), False),
        ((-180.0, -90.0, 180.0, 50.0), False),
    ],
)
def test_any_overlap_with_the_place_matches(bounds, is_found):
    """Compared alone: the whole world overlaps the other boxes too."""
    matcher = Matcher([rule("locations:0", 1, OSLO)])
    assert matcher.match(decoded(tweet_fields(place=place(*bounds)))) == ([0] if is_found else [])


def test_the_order_of_a_places_corners_does_not_matter(matches):
    ring = place(10.6, 59.9, 10.7, 60.0)["bounding_box"]["coordinates"][0]
    for turn in range(4):
        turned = {"bounding_box": {"coordinates": [ring[turn:] + ring[:turn]]}}
        assert matches(place=turned)


def test_retweets_never_match(matches):
    inner = tweet_fields("x", coordinates=point(10.75, 59.91))
    assert not matches(retweeted_status=inner)
    assert not matches(coordinates=point(10.75, 59.91), retweeted_status=inner)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"geo": {"type": "Point", "coordinates": [59.91, 10.75]}},
        {"user": {"id_str": "1", "location": "Oslo"}},
        {"place": {"name": "Oslo", "bounding_box": None}},
        {"place": {"bounding_box": {"coordinates": []}}},
        {"place": {"bounding_box": {"coordinates": [[[1], []]]}}},
        {"coordinates": {"coordinates": [10.75]}},
        {"coordinates": {"coordinates": ["10.75", "59.91"]}},
        {"coordinates": {"coordinates": [1e308, 59.91]}},
        {"coordinates": {"coordinates": [None, 59.91]}},
    ],
)
def test_a_tweet_from_nowhere_matches_nothing(matches, members):
    assert not matches(**members)


def test_a_rule_with_several_boxes_matches_by_any_and_once():
    matcher = Matcher([rule("locations:0", 1, OSLO, "10,59,11,61", "0,0,1,1")])
    assert matcher.match(decoded(tweet_fields(coordinates=point(10.75, 59.91)))) == [0]
    assert matcher.match(decoded(tweet_fields(coordinates=point(0.5, 0.5)))) == [0]
    assert matcher.match(decoded(tweet_fields(coordinates=point(-0.5, 0.5)))) == []
