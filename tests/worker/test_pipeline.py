"""From a line of the stream to what the delivery is given."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.births import worker_settings
from support.gatesink import GateSink
from support.making_tweets import rule, tweet_fields

from traptor.common.birth import Birth, KafkaSettings, WorkerSettings
from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.delivery.sink import Ticket
from traptor.worker.outbox.message import Outgoing
from traptor.worker.sinks.outputs import most_bytes
from traptor.worker.tweetpipeline import TweetPipeline
from traptor.worker.tweets.received import Message

RULES = tuple(rule("track:0", number, "storm", tag="t" * 5000) for number in range(4))
LARGE = json.dumps(tweet_fields("a storm")).encode()


class KeepingSink(GateSink):
    """Keeps every message."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Outgoing] = []

    def takes(self, _message: Outgoing) -> bool:
        return True

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        self.messages.append(message)
        return super().send(message, ticket)


def kafka_settings(folder: Path, **library: str) -> WorkerSettings:
    options = tuple((name.replace("_", "."), value) for name, value in library.items())
    kafka = KafkaSettings("127.0.0.1:1", "traptor", False, options, (), folder)
    return worker_settings(folder, output="kafka", kafka=kafka)


def delivered(settings: WorkerSettings, *lines: bytes) -> list[bytes]:
    sink = KeepingSink()
    birth = Birth("track:0", 1, RULES[0].group, RULES, settings)
    pipeline = TweetPipeline(birth, Delivery(birth, sink), None)
    pipeline.open()
    for line in lines:
        pipeline.handle([line])
    pipeline.drain(float("inf"))
    return [message.body for message in sink.messages]


def collection_rules(body: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(body)["traptor"]["collection_rules"]
    return found


@pytest.mark.parametrize(
    "line",
    [
        b'{"delete": {"status": {"id": 1234, "id_str": "1234"}}}',
        b'{"limit":{"track":7},  "x":"\\u00e9"}',
        b'{"anything":1.10}',
    ],
)
def test_what_is_no_tweet_is_delivered_byte_for_byte(line: bytes, tmp_path: Path) -> None:
    assert delivered(worker_settings(tmp_path), line + b"\r\n") == [line]


def test_rules_too_large_for_kafka_are_cut_before_the_outbox_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = delivered(kafka_settings(tmp_path, message_max_bytes="9000"), LARGE, LARGE)
    assert [list(map(set, collection_rules(body))) for body in bodies] == [[{"rule_id", "truncated"}] * 4] * 2
    assert caplog.text.count("rules of a tweet are cut to their ids") == 1


def test_rules_that_the_output_takes_are_left_whole(tmp_path: Path) -> None:
    for settings in (worker_settings(tmp_path), kafka_settings(tmp_path)):
        (body,) = delivered(settings, LARGE)
        assert [set(one) for one in collection_rules(body)] == [
            {"rule_id", "value", "rule_tag", "rule_value"}
        ] * 4


def test_how_large_a_message_may_be_is_what_the_output_says(tmp_path: Path) -> None:
    assert most_bytes(kafka_settings(tmp_path)) == 1_000_000
    assert most_bytes(kafka_settings(tmp_path, message_max_bytes="5000000")) == 5_000_000
    assert most_bytes(worker_settings(tmp_path)) == 16 << 20


def test_extras_are_left_out_where_the_settings_say_so(tmp_path: Path) -> None:
    settings = worker_settings(tmp_path)
    with_them, without = (
        json.loads(delivered(one, LARGE)[0])["traptor"] for one in (settings, replace(settings, extras=False))
    )
    assert "collection" in with_them
    assert "collection" not in without


def test_a_tweet_is_delivered_with_the_rules_that_are_within_their_rate_limits(tmp_path: Path) -> None:
    limited = {"value": "storm", "rule_id": "1", "rate": "0.0001", "capacity": "2"}
    first = read_rule("traptor-track:0:1", limited, True, Limits())
    assert isinstance(first, Rule)
    rules = (first, rule("track:0", 2, "flood"))
    sink, settings = KeepingSink(), worker_settings(tmp_path)
    birth = Birth("track:0", 1, rules[0].group, rules, settings)
    pipeline = TweetPipeline(birth, Delivery(birth, sink), None)
    pipeline.open()
    for text in ("storm", "storm and flood", "storm and flood", "storm", "flood"):
        pipeline.handle([json.dumps(tweet_fields(text)).encode()])
    pipeline.drain(float("inf"))
    ids = [[one["rule_id"] for one in collection_rules(message.body)] for message in sink.messages]
    assert ids == [["1"], ["1", "2"], ["2"], ["2"]]
    counters = pipeline.counters(0)
    assert (counters.received, counters.matched, counters.held, counters.accepted) == (5, 5, 1, 4)


def test_tweets_of_one_read_are_received_at_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(1_790_000_000)
    monkeypatch.setattr("traptor.worker.tweetpipeline.time.time", lambda: next(clock))
    sink, birth = KeepingSink(), Birth("track:0", 1, RULES[0].group, RULES, worker_settings(tmp_path))
    pipeline = TweetPipeline(birth, Delivery(birth, sink), None)
    pipeline.open()
    pipeline.handle([LARGE, LARGE])
    pipeline.handle([LARGE])
    pipeline.drain(float("inf"))
    times = [json.loads(message.body)["traptor"]["collection"]["received_at"] for message in sink.messages]
    assert times[0] == times[1] < times[2]


class Failing(TweetPipeline):
    """Has a bug that lines show which are no tweets."""

    def _take_other(self, line: bytes, message: Message) -> None:
        raise RuntimeError("a bug")


def test_lines_that_came_before_one_that_shows_a_bug_are_handed_over(tmp_path: Path) -> None:
    sink = KeepingSink()
    sink.is_line_sink = True
    birth = Birth("track:0", 1, RULES[0].group, RULES, worker_settings(tmp_path))
    pipeline = Failing(birth, Delivery(birth, sink), None)
    pipeline.open()
    with pytest.raises(RuntimeError):
        pipeline.handle([LARGE, LARGE, b"bug", LARGE])
    assert [len(ids) for ids in sink.together] == [2]
    pipeline.drain(float("inf"))


@pytest.mark.parametrize("text", ["a storm", "a storm \ud83d"])
@pytest.mark.parametrize("inner", [("[", "]"), ('{"a":', "}")])
def test_however_deep_a_tweet_goes_the_others_of_the_read_are_delivered(
    text: str, inner: tuple[str, str], tmp_path: Path
) -> None:
    sink, birth = KeepingSink(), Birth("track:0", 1, RULES[0].group, RULES, worker_settings(tmp_path))
    pipeline = TweetPipeline(birth, Delivery(birth, sink), None)
    pipeline.open()
    deep, depths = json.dumps({**tweet_fields(text), "id_str": "7", "traptor": "?"}), range(900, 1010)
    for depth in depths:  # where Python's parser gives up depends on who calls it
        line = deep.replace('"?"', inner[0] * depth + "1" + inner[1] * depth).encode()
        pipeline.handle([LARGE, line, LARGE])
    pipeline.drain(float("inf"))
    assert sum(message.tweet_id != "7" for message in sink.messages) == 2 * len(depths)
    counters = pipeline.counters(0)
    assert counters.received == counters.matched == len(sink.messages)
    assert counters.broken == 3 * len(depths) - len(sink.messages) > 0


def test_a_limit_of_the_ini_holds_for_each_rule_of_its_groups(tmp_path: Path) -> None:
    settings = worker_settings(tmp_path, rate_limits=(("track:*", "0.0001 1"),))
    assert len(delivered(settings, LARGE, LARGE, LARGE)) == 1
