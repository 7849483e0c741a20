"""The tweets that are made: about their values, in many ways, and about nothing else."""

import re
from collections import Counter
from random import Random

import orjson
import pytest

from traptor.sandbox.tweets.filler import Filler
from traptor.sandbox.tweets.forms import FORMS
from traptor.sandbox.tweets.maker import TweetMaker
from traptor.sandbox.tweets.values import FilterType, Value, parse_values
from traptor.sandbox.tweets.vocabulary import WORDS, words_without

NOW_S = 1_790_000_000.5
PHRASES = (
    "flood warning,storm,#ice,#ice_age,@coast,@west_coast_,$twtr,helm's-alee,news.example/today,żółw,"
    "fish & chips,über"
)
TRACK = parse_values(FilterType.TRACK, PHRASES)
FOLLOW = parse_values(FilterType.FOLLOW, "12,345678901234567")
BOXES = parse_values(FilterType.LOCATIONS, "-10,20,5,40,100,-45,100.5,-44")


def made(values, count=2000, noise=0.0, seed=1):
    maker = TweetMaker(seed)
    maker.set_values(values)
    return [maker.make(NOW_S + n / 50, noise) for n in range(count)]


@pytest.fixture(scope="module")
def tweets():
    return [(tweet, orjson.loads(tweet.json)) for tweet in made([*TRACK, *FOLLOW, *BOXES], 4000, 0.1)]


def searched(status):
    """All that track searches in a tweet (Twitter, "Standard stream parameters"), with what is inside it."""
    whole = status.get("extended_tweet", {})
    entities = whole.get("entities") or status["entities"]
    text = [whole.get("full_text") or status["text"]]
    text += [f"#{tag['text']} {tag['text']}" for tag in entities["hashtags"]]
    text += [f"@{user['screen_name']} {user['screen_name']}" for user in entities["user_mentions"]]
    for link in [*entities["urls"], *entities.get("media", [])]:
        text += [link["expanded_url"].split("://")[1].removeprefix("www.") + " " + link["display_url"]]
    text += [searched(status[name]) for name in ("retweeted_status", "quoted_status") if name in status]
    return " ".join(text).replace("&amp;", "&").lower()


def words(text):
    """Whole words, words without marks around them, and their pieces."""
    raw = text.split()
    return {*raw, *(word.strip('.,!?…:()"“”') for word in raw), *re.findall(r"[^\W_]+", text)}


def finds(value, status):
    """Documented semantics, written down once more."""
    if value.type is FilterType.TRACK:
        return set(value.text.split()) <= words(searched(status))
    if value.type is FilterType.FOLLOW:
        inner = status.get("retweeted_status", {"user": {}})
        return value.text in (
            status["user"]["id_str"],
            status["in_reply_to_user_id_str"],
            inner["user"].get("id_str"),
        )
    west, south, east, north = value.box()
    if status["coordinates"]:
        longitude, latitude = status["coordinates"]["coordinates"]
        return west <= longitude <= east and south <= latitude <= north
    if not status["place"]:
        return False
    ring = status["place"]["bounding_box"]["coordinates"][0]
    longitudes, latitudes = [point[0] for point in ring], [point[1] for point in ring]
    return (
        min(longitudes) <= east
        and max(longitudes) >= west
        and min(latitudes) <= north
        and max(latitudes) >= south
    )


def test_every_tweet_is_found_by_the_values_it_is_made_for(tweets):
    for tweet, status in tweets:
        for value in tweet.values:
            assert finds(value, status), (tweet.form, value, status)


def test_a_tag_or_name_with_an_underscore_is_marked_as_one(tweets):
    """As X's own text library takes them."""
    marked = Counter()
    for tweet, status in tweets:
        for wanted in {value.text for value in tweet.values} & {"#ice_age", "@west_coast_"}:
            assert wanted in entities_of(status)
            marked[wanted] += 1
    assert marked["#ice_age"] > 50
    assert marked["@west_coast_"] > 50


def entities_of(status):
    """The hashtags and mentions of a tweet and of what is inside it."""
    entities = status.get("extended_tweet", status)["entities"]
    found = {f"#{tag['text'].lower()}" for tag in entities["hashtags"]}
    found |= {f"@{user['screen_name'].lower()}" for user in entities["user_mentions"]}
    inner = [status[name] for name in ("retweeted_status", "quoted_status") if name in status]
    return found.union(*map(entities_of, inner))


def test_no_tweet_is_found_by_a_value_it_is_not_made_for(tweets):
    for tweet, status in tweets:
        for value in {*TRACK, *FOLLOW, *BOXES} - set(tweet.values):
            assert not finds(value, status), (tweet.form, value, status)


def test_every_way_to_be_about_a_value_occurs(tweets):
    seen = Counter(name for tweet, _ in tweets for name in tweet.form.split("+"))
    for kind, forms in FORMS.items():
        for form in forms:
            if form.name != "link":  # the rules here use up the words of links
                assert seen[f"{kind}:{form.name}"], form.name


def test_a_link_alone_can_carry_the_words():
    tweets = [
        tweet for tweet in made(parse_values(FilterType.TRACK, "flood warning")) if "link" in tweet.form
    ]
    assert tweets
    for tweet in tweets:
        status = orjson.loads(tweet.json)
        assert "flood" not in status["text"].lower()
        assert finds(tweet.values[0], status)


def test_some_tweets_are_for_two_values_of_different_types(tweets):
    both = [tweet for tweet, _ in tweets if len(tweet.values) == 2]
    assert both
    assert all(tweet.values[0].type != tweet.values[1].type for tweet in both)


def test_the_types_come_about_equally_often():
    follow = [Value(FilterType.FOLLOW, str(number)) for number in range(1, 5001)]
    seen = Counter(tweet.values[0].type for tweet in made([*TRACK, *follow], 1000))
    assert 400 < seen[FilterType.TRACK] < 600


def test_the_share_of_noise_is_as_asked():
    assert 150 < sum(not tweet.values for tweet in made(TRACK, 1000, 0.2)) < 250
    assert all(not tweet.values for tweet in made([], 50))


def test_ids_rise_and_tell_the_time(tweets):
    ids = [tweet.id for tweet, _ in tweets]
    assert ids == sorted(set(ids))
    for tweet, status in tweets[:100]:
        assert status["id"] == tweet.id == int(status["id_str"])
        assert int(status["timestamp_ms"]) == (tweet.id >> 22) + 1_288_834_974_657
    assert tweets[0][1]["created_at"] == "Mon Sep 21 14:13:20 +0000 2026"


def test_many_tweets_in_one_millisecond_have_different_ids():
    maker = TweetMaker(1)
    assert len({maker.make(NOW_S, 0).id for _ in range(100)}) == 100


def test_the_same_seed_makes_the_same_tweets_and_another_seed_others():
    assert [one.json for one in made(TRACK, 200)] == [one.json for one in made(TRACK, 200)]
    assert [one.json for one in made(TRACK, 200)] != [one.json for one in made(TRACK, 200, seed=2)]


def check_entities(text, entities):
    for tag in entities["hashtags"]:
        start, end = tag["indices"]
        assert text[start:end] == f"#{tag['text']}"
    for user in entities["user_mentions"]:
        start, end = user["indices"]
        assert text[start:end] == f"@{user['screen_name']}"
    for link in [*entities["urls"], *entities.get("media", [])]:
        start, end = link["indices"]
        assert text[start:end] == link["url"]


def test_indices_point_at_their_entities(tweets):
    for _, status in tweets:
        check_entities(status["text"], status["entities"])
        if "extended_tweet" in status:
            whole = status["extended_tweet"]
            check_entities(whole["full_text"], whole["entities"])


def test_long_tweets_are_cut_and_carry_the_whole(tweets):
    for _, status in tweets:
        assert len(status["text"]) <= 140
        assert status["truncated"] == ("extended_tweet" in status)
        if status["truncated"]:
            assert len(status["extended_tweet"]["full_text"]) > 140
            assert status["entities"]["urls"][-1]["expanded_url"].endswith(f"/{status['id_str']}")


def test_retweets_have_no_place_of_their_own_and_begin_with_rt(tweets):
    retweets = [status for _, status in tweets if "retweeted_status" in status]
    assert retweets
    for status in retweets:
        assert status["coordinates"] is status["place"] is None
        assert status["text"].startswith(f"RT @{status['retweeted_status']['user']['screen_name']}: ")
        assert status["retweeted_status"]["id"] < status["id"]


def test_tweets_are_as_large_as_real_ones(tweets):
    sizes = sorted(len(tweet.json) for tweet, _ in tweets)
    assert sizes[0] > 1500
    assert 2000 < sizes[len(sizes) // 2] < 5000


def test_photos_places_and_links_occur_in_tweets_for_other_things(tweets):
    plain = [status for _, status in tweets] + [orjson.loads(one.json) for one in made(FOLLOW, 300)]
    assert any("extended_entities" in status for status in plain)
    assert any(status["place"] for status in plain if status["place"])
    assert any(status["entities"]["urls"] for status in plain)


def test_filler_never_uses_a_word_of_the_rules():
    assert not {"window", "coffee"} & set(words_without(["Coffee table", "#window"]))
    assert words_without(WORDS)


def test_a_phrase_that_finds_nothing_gets_no_tweets():
    assert all(not tweet.values for tweet in made(parse_values(FilterType.TRACK, "www.site.example"), 50))


def test_a_stranger_is_nobody_whom_a_rule_follows():
    stranger = Filler(Random(1), []).stranger()
    rule = Value(FilterType.FOLLOW, str(stranger.id))
    assert Filler(Random(1), [rule]).stranger() != stranger


def test_a_place_by_chance_lies_in_no_box():
    world = parse_values(FilterType.LOCATIONS, "-180,-90,180,90")
    assert Filler(Random(1), []).elsewhere() is not None
    assert Filler(Random(1), world).elsewhere() is None


def test_some_tweets_are_notes_and_some_are_edited(tweets):
    lengths = [
        len(status["extended_tweet"]["full_text"]) for _, status in tweets if "extended_tweet" in status
    ]
    assert any(280 < length < 1000 for length in lengths)
    assert any(length > 3900 for length in lengths)
    edited = [status for _, status in tweets if "edit_history" in status]
    assert edited
    for status in edited:
        versions = status["edit_history"]["edit_tweet_ids"]
        assert 2 <= len(versions) <= 6
        assert versions == sorted(versions, key=int)
        assert versions[-1] == status["id_str"]
        assert versions[0] == status["edit_history"]["initial_tweet_id"]
