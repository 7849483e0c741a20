"""Whatever comes over the stream is delivered as JSON or counted; nothing of it ends the worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.births import worker_settings
from support.fuzzing import JSON_VALUES, TWEETS, examples, line_of, mangled, paths, replaced
from support.reports import report

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.messages import HEADER, frame, from_worker
from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import GroupId, Limits, Rule
from traptor.worker.delivery.latency import Latency
from traptor.worker.outbox.message import DeliveryCounts, Outgoing
from traptor.worker.sinks.kafka.record import Recorder
from traptor.worker.tweetpipeline import TweetPipeline

KINDS = ["limit", "disconnect", "warning", "delete", "scrub_geo", "status_withheld", "friends", "event", "x"]
DETAILS = ["track", "code", "reason", "message", "percent_full", "stream_name"]
PATHS = {tweet["id_str"]: tuple(paths(tweet)) for tweet in TWEETS}


@st.composite
def odd_tweets(draw: st.DrawFn) -> dict[str, Any]:
    """Real tweets in which any value is another."""
    tweet = draw(st.sampled_from(TWEETS))
    for path in draw(st.lists(st.sampled_from(PATHS[tweet["id_str"]]), min_size=1, max_size=3)):
        with suppress(KeyError, IndexError, TypeError):  # an earlier one took it away
            tweet = replaced(tweet, path, draw(JSON_VALUES))
    for name in draw(st.lists(st.sampled_from(["traptor", "limit", "extra"]), max_size=2)):
        tweet = {**tweet, name: draw(JSON_VALUES)}
    return tweet


NOTICES = st.dictionaries(
    st.sampled_from(KINDS),
    st.one_of(JSON_VALUES, st.dictionaries(st.sampled_from(DETAILS), JSON_VALUES, max_size=3)),
    min_size=1,
    max_size=2,
)
DEEP = st.builds(
    lambda opening, depth, closes: (
        b'{"id_str":"1","text":"a","user":%b}'
        % (opening * depth + b"0" + (b"]" if opening == b"[" else b"}") * (depth * closes))
    ),
    st.sampled_from([b"[", b'{"user":', b'{"retweeted_status":']),
    st.sampled_from([10, 500, 995, 1_000, 2_000, 100_000]),
    st.sampled_from([0, 1]),
)
WHOLE_LINES = st.builds(
    line_of,
    st.one_of(odd_tweets(), NOTICES, JSON_VALUES),
    st.booleans(),
    st.sampled_from([",", ", ", " ,\t"]),
)
LINES = st.one_of(
    WHOLE_LINES,
    WHOLE_LINES.flatmap(mangled),
    st.sampled_from(TWEETS).map(lambda tweet: line_of(tweet, False, ",")).flatmap(mangled),
    DEEP,
    st.binary(max_size=30),
).map(lambda line: line.translate(None, b"\r\n") or b" ")


@dataclass
class Kept:
    """A delivery that keeps all."""

    messages: list[Outgoing] = field(default_factory=list)
    counts: DeliveryCounts = field(default_factory=DeliveryCounts)
    latency: Latency = field(default_factory=Latency)

    def open(self) -> None:
        """Nothing to open."""

    def hand_over(self, messages: Sequence[Outgoing]) -> None:
        self.messages += messages


def rules() -> tuple[Rule, ...]:
    texts = {"track:0": "the,#a,@b,$c,a.b,é", "follow:0": "4449621923,15062340", "locations:0": "-9,-9,9,9"}
    texts |= {f"locations:{number}": f"-{number},0,{number},1" for number in range(1, 70)}
    found = [
        read_rule(f"traptor-{group}:r", {"value": text}, True, Limits()) for group, text in texts.items()
    ]
    return tuple(rule for rule in found if isinstance(rule, Rule))


KAFKA = KafkaSettings("127.0.0.1:9092", "traptor", True, (), (), Path())
SETTINGS = worker_settings(Path(), output="kafka")
BIRTH = Birth("track:0", 1, GroupId.parse("track:0"), rules(), SETTINGS)


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def check(line: bytes, message: Outgoing) -> None:
    assert b"\n" not in message.body
    delivered = json.loads(message.body, parse_constant=no_constant)
    assert isinstance(delivered, dict)
    record = Recorder(BIRTH, KAFKA).record(message, 1, is_repeated=False)
    assert record is not None
    if message.tweet_id is None:
        assert message.body == line.strip()
        return
    assert list(delivered)[-1] == "traptor"
    assert delivered["traptor"]["collection"]["connection"] == "track:0"
    before = json.loads(line, parse_constant=no_constant)
    assert [name for name in delivered if name != "traptor"] == [name for name in before if name != "traptor"]


@examples(150)
@given(line=LINES)
def test_any_line_is_delivered_as_json_or_counted(line: bytes) -> None:
    kept = Kept()
    pipeline = TweetPipeline(BIRTH, kept, None)
    pipeline.open()
    pipeline.handle([line])
    counters = pipeline.counters(log_lost=0)
    assert counters.received + counters.broken + sum(counters.other.values()) == 1
    assert len(kept.messages) == 1 - counters.broken
    for message in kept.messages:
        check(line, message)
    told = report(counters)
    assert from_worker(frame(told)[HEADER.size :]) == told
    assert counters.limited < 2**53
