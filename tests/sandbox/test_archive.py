"""The archive gives back the tweets that were made, by number, id and time, and forgets the oldest."""

import itertools

import pytest

from traptor.sandbox.archive import BLOCK_TWEETS, Archive
from traptor.sandbox.clock import Instant
from traptor.sandbox.record import TweetLog
from traptor.sandbox.tweets.maker import Tweet


def fill(count, keep=10_000):
    """Return an archive with tweets of ids 1001, 1002, ..., made one per second from second 1 on."""
    archive, log = Archive(keep), TweetLog(10_000)
    for number in range(1, count + 1):
        tweet = Tweet(1000 + number, (), "noise", b'{"n":%d}' % number, is_for_all=number % 3 == 0)
        archive.add(tweet, log.add(tweet, Instant(float(number), 0.0)))
    return archive


@pytest.mark.parametrize("count", [1, BLOCK_TWEETS, BLOCK_TWEETS + 1, 5 * BLOCK_TWEETS + 7])
def test_every_tweet_is_given_back_as_it_was(count):
    archive = fill(count)
    for number in range(1, count + 1):
        tweet, record = archive.get(number)
        assert record.number == number
        assert (tweet.id, tweet.json) == (1000 + number, b'{"n":%d}' % number)
        assert tweet.is_for_all is (number % 3 == 0)
    assert archive.get(0) is None
    assert archive.get(count + 1) is None


def test_the_oldest_are_forgotten_and_the_newest_kept():
    archive = fill(10 * BLOCK_TWEETS, keep=2 * BLOCK_TWEETS)
    assert archive.get(1) is None
    assert all(archive.get(10 * BLOCK_TWEETS - age) is not None for age in range(2 * BLOCK_TWEETS))
    assert archive.find(1001) is None


def test_a_tweet_is_found_by_its_id_with_its_record():
    tweet, record = fill(200).find(1150)
    assert (tweet.id, record.number) == (1150, 150)


def test_blocks_of_a_time_hold_all_its_tweets_the_newest_first():
    archive = fill(500)
    for start, end in itertools.product((0.0, 63.0, 64.0, 65.0, 400.0), (63.5, 65.0, 410.0, 900.0)):
        blocks = archive.blocks(start, end)
        found = {record.number for block in blocks for record in block.records}
        assert found >= {number for number in range(1, 501) if start <= number < end}
        firsts = [block.records[0].number for block in blocks]
        assert firsts == sorted(firsts, reverse=True)


def test_the_last_tweets_come_with_their_times():
    assert [(at, tweet.id) for at, tweet in fill(100).last(3)] == [(100.0, 1100), (99.0, 1099), (98.0, 1098)]
    assert len(list(fill(100).last(2000))) == 100


def test_a_version_that_was_superseded_is_not_the_latest():
    archive = fill(3)
    _, record = archive.find(1002)
    assert archive.is_latest(record)
    archive.supersede(record.number)
    assert not archive.is_latest(record)
