"""The record is bounded, and budgets of connects are counted as Twitter counts them."""

import pytest

from traptor.sandbox.clock import Instant
from traptor.sandbox.errors import BadInput, Refused
from traptor.sandbox.faults.fault import FaultKind, Faults, Target, parse_fault
from traptor.sandbox.record import TweetLog
from traptor.sandbox.tweets.maker import Tweet
from traptor.sandbox.tweets.replay import Replay, load_replay
from traptor.sandbox.tweets.values import FilterType, Value
from traptor.sandbox.v1.attempts import Attempts

STORM = (Value(FilterType.TRACK, "storm"),)


def test_the_oldest_tweets_are_forgotten_and_numbers_go_on():
    log = TweetLog(keep=3)
    for number in range(10, 15):
        log.add(Tweet(number, STORM if number % 2 else (), "x", b"{}"), Instant(number, number))
    assert [record.number for record in log.since(0)] == [3, 4, 5]
    assert [record.id for record in log.since(4)] == [14]
    assert log.since(5) == log.since(99) == []
    assert (log.made, log.noise, log.made_by_type["track"]) == (5, 3, 2)


def test_one_connect_too_many_in_the_window_is_420_and_refused_ones_count():
    attempts = Attempts(connects=2, window_s=300)
    attempts.spend("a", 0)
    attempts.spend("a", 100)
    attempts.spend("b", 100)
    with pytest.raises(Refused) as refusal:
        attempts.spend("a", 200)
    assert refusal.value.status == 420
    with pytest.raises(Refused):
        attempts.spend("a", 399)  # those at 100 and 200 still count
    attempts.spend("a", 701)


def test_zero_connects_means_any_number():
    attempts = Attempts(connects=0, window_s=300)
    for _ in range(100):
        attempts.spend("a", 0)


def fault(kind, **fields):
    return parse_fault({"fault": kind, **fields})


def taken(faults, account="a", now=0.0, kind=FaultKind.STATUS):
    return faults.take(account, now, lambda one: one is kind)


def test_a_fault_strikes_so_many_times_or_so_long():
    faults = Faults()
    faults.add(fault("status", status=503, times=2), 0)
    assert [len(taken(faults)) for _ in range(3)] == [1, 1, 0]
    faults.add(fault("status", status=503, seconds=5), 0)
    assert [len(taken(faults, now=now)) for now in (0, 4.9, 5)] == [1, 1, 0]
    assert not faults.waiting(5)


def test_faults_are_for_one_account_or_all_and_combine():
    faults = Faults()
    faults.add(fault("status", status=503, account="a"), 0)
    faults.add(fault("slow_start", after=1), 0)
    assert not taken(faults, "b")
    assert taken(faults, "a")[0].status == 503
    assert taken(faults, "b", kind=FaultKind.SLOW_START)[0].after == 1
    faults.clear("a")
    assert [one.kind for one in faults.waiting(0)] == ["slow_start"]
    faults.clear(None)
    assert not faults.waiting(0)


def test_retry_after_is_a_header():
    assert fault("status", status=429, retry_after=7, headers={"x-rate-limit-reset": "9"}).headers == {
        "x-rate-limit-reset": "9",
        "Retry-After": "7",
    }


def test_faults_of_streams_strike_open_ones_unless_told_otherwise():
    assert fault("stall").on is Target.STREAMS
    assert fault("stall", on="connects", after=2).on is Target.CONNECTS
    assert fault("close_after").on is Target.CONNECTS


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        {},
        {"fault": "x"},
        {"fault": []},
        {"fault": "status"},
        {"fault": "status", "status": 200},
        {"fault": "status", "status": "503"},
        {"fault": "status", "status": 503, "times": 0},
        {"fault": "status", "status": 503, "times": True},
        {"fault": "status", "status": 503, "seconds": -1},
        {"fault": "status", "status": 503, "retry_after": "soon"},
        {"fault": "status", "status": 503, "headers": {"a": 1}},
        {"fault": "status", "status": 503, "headers": {"a": "b\r\nc: d"}},
        {"fault": "status", "status": 503, "account": 5},
        {"fault": "status", "status": 503, "on": "streams"},
        {"fault": "stall", "status": 503},
        {"fault": "stall", "after": 1},
        {"fault": "stall", "on": "x"},
        {"fault": "disconnect", "code": "4"},
        {"fault": "stall", "typo": 1},
    ],
)
def test_what_is_no_fault_is_refused(request_):
    with pytest.raises(BadInput):
        parse_fault(request_)


LINES = """
{"id_str":"1","timestamp_ms":"1000","text":"a"}
{"for":["storm",{"type":"track","value":"12"}],"tweet":{"id":2,"timestamp_ms":"3000"}}
{"delete":{}}
{"id_str":"4","created_at":"Thu Jan 01 00:00:05 +0000 1970"}
"""


def test_a_file_is_replayed_in_order(tmp_path):
    path = tmp_path / "tweets.jsonl"
    path.write_text(LINES)
    replay = Replay(load_replay(path))
    assert replay.due(1.0) is None
    tweets = [replay.pop() for _ in range(5)]
    assert [tweet and tweet.id for tweet in tweets] == [1, 2, None, 4, None]
    assert [tweet.is_for_all for tweet in tweets[:4]] == [True, False, True, True]
    assert tweets[0].json == b'{"id_str":"1","timestamp_ms":"1000","text":"a"}'
    assert tweets[1].values == (STORM[0], Value(FilterType.TRACK, "12"))


def test_with_a_speed_the_tweets_own_times_decide(tmp_path):
    path = tmp_path / "tweets.jsonl"
    path.write_text(LINES)
    replay = Replay(load_replay(path), speed=2.0)
    assert replay.due(0) == 1
    replay.pop()
    assert replay.due(0.9) == 0
    assert replay.due(0.1) == 2
    replay.pop(), replay.pop()
    assert replay.due(1.0) == 1


def test_half_a_surrogate_pair_is_replayed_as_it_is(tmp_path):
    """Twitter has sent such tweets: a text cut inside a character."""
    path = tmp_path / "tweets.jsonl"
    path.write_bytes(
        rb'{"id_str":"1","text":"cut \ud83d","user":{"name":"\udc00"}}'
        b"\n"
        rb'{"for":["storm"],"tweet":{"id_str":"2","text":"\ud83d"}}'
    )
    replay = Replay(load_replay(path))
    tweets = [replay.pop(), replay.pop()]
    assert [tweet.id for tweet in tweets] == [1, 2]
    assert tweets[0].json == rb'{"id_str":"1","text":"cut \ud83d","user":{"name":"\udc00"}}'
    assert tweets[1].json == rb'{"id_str":"2","text":"\ud83d"}'


@pytest.mark.parametrize(
    "line",
    [
        r'{"for":["\ud83d"],"tweet":{}}',
        r'{"text":"\ud83d","n":NaN}',
        "{",
        "[]",
        '{"for":"x","tweet":{}}',
        '{"for":[]}',
        '{"for":["5,1,0,2"],"tweet":{}}',
    ],
)
def test_a_bad_line_of_a_replay_is_named(tmp_path, line):
    path = tmp_path / "tweets.jsonl"
    path.write_text(f'{{"id":1}}\n{line}\n')
    with pytest.raises(BadInput, match=r"tweets\.jsonl:2: "):
        load_replay(path)
