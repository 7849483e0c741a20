"""A trial topic in whatever state: the main topic gets every post at once, and the trial what it may."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.kafka import (
    KafkaProcess,
    all_messages,
    give_write_right,
    header,
    kafka_birth,
    take_write_right,
)
from support.making_posts import post_fields, post_line, single
from support.making_tweets import rule
from support.waiting import wait_for

from traptor.common.birth import Birth
from traptor.common.counts import Counters
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.entry import check_output
from traptor.worker.postpipeline import PostPipeline
from traptor.worker.sinks.outputs import sink_of
from traptor.worker.trialoutput.making import trial_of

FIRST = 900000000000000000


class Collected:
    """A pipeline for posts that delivers to a topic and to a trial's."""

    def __init__(self, birth: Birth) -> None:
        self.pipeline = PostPipeline(birth, Delivery(birth, sink_of(birth)), None, trial_of(birth))
        self.sent = 0
        self.pipeline.open()

    @property
    def counts(self) -> Counters:
        return self.pipeline.counters(0)

    def post(self, text: str = "storm") -> None:
        self.sent += 1
        self.pipeline.handle([post_line(post_fields(text, id=str(FIRST + self.sent)), "11")])


Make = Callable[..., Collected]


@pytest.fixture
def collect(kafka: KafkaProcess, topic: str, tmp_path: Path) -> Iterator[Make]:
    made: list[Collected] = []

    def make_one(**options: str) -> Collected:
        birth = kafka_birth(kafka.bootstrap_servers, tmp_path, topic=topic, **options)  # type: ignore[arg-type]  # as they come
        settings = replace(birth.settings, api="v2", trial=f"{topic}-old")
        rules = (rule("track:0", "1", "storm"),)
        filters = (single("11", "track:0", "storm"),)
        made.append(Collected(Birth("v2:app", 3, None, rules, settings, filters=filters)))
        return made[-1]

    yield make_one
    for one in made:
        one.pipeline.drain(time.monotonic())


def ids(kafka: KafkaProcess, topic: str) -> list[int]:
    return sorted(int(message.key() or b"-1") - FIRST for message in all_messages(kafka, topic))


def trouble(collected: Collected) -> str:
    report = collected.pipeline.trial_report()
    assert report is not None
    return report.trouble


def test_both_topics_get_every_post_under_its_id_each_in_its_form(
    kafka: KafkaProcess, topic: str, collect: Make
) -> None:
    kafka.create_topic(f"{topic}-old")
    collected = collect()
    for _ in range(50):
        collected.post()
    wait_for(lambda: collected.counts.delivered == 50, "the posts are delivered")
    wait_for(lambda: collected.counts.trial["delivered"] == 50, "the trial's too")
    assert ids(kafka, topic) == ids(kafka, f"{topic}-old") == list(range(1, 51))
    for name, form in ((topic, "native"), (f"{topic}-old", "v1.1")):
        for message in all_messages(kafka, name):
            body = json.loads(message.value() or b"")
            post_id = body["data"]["id"] if form == "native" else body["id_str"]
            assert post_id.encode() == message.key()
            assert header(message, "traptor-payload") == form
            assert header(message, "traptor-rules") == "1"


def test_a_missing_trial_topic_holds_nothing_up_and_gets_everything_once_it_is_there(
    kafka: KafkaProcess, topic: str, collect: Make, caplog: pytest.LogCaptureFixture
) -> None:
    collected = collect()
    for _ in range(20):
        collected.post()
    wait_for(lambda: collected.counts.delivered == 20, "the posts are delivered")
    wait_for(lambda: "no topic" in trouble(collected), "the trial tells")
    assert "name another one in [traptor] output_trial" in trouble(collected)
    assert collected.counts.trial["delivered"] == 0
    assert any("output_trial" in str(getattr(record, "fields", "")) for record in caplog.records)
    kafka.create_topic(f"{topic}-old")
    wait_for(lambda: collected.counts.trial["delivered"] == 20, "the trial's arrive")
    wait_for(lambda: not trouble(collected), "its trouble is over")
    assert ids(kafka, f"{topic}-old") == list(range(1, 21))


def test_without_the_right_to_write_or_too_large_posts_are_dead_letters_of_the_trial_alone(
    kafka: KafkaProcess, topic: str, collect: Make, tmp_path: Path
) -> None:
    kafka.create_topic(f"{topic}-old", max_message_bytes="6000")
    collected = collect(compression_type="none")
    collected.post("storm")
    collected.post("storm " * 2000)
    wait_for(lambda: collected.counts.delivered == 2, "both are delivered")
    wait_for(lambda: collected.counts.trial["dead_letters"] == 1, "one is too large for the trial")
    take_write_right(kafka, f"{topic}-old")

    def refused() -> bool:
        collected.post()
        return collected.counts.trial["dead_letters"] > 3

    wait_for(refused, "the trial's topic refuses posts")
    wait_for(lambda: collected.counts.delivered == collected.sent, "the main topic has them all")
    give_write_right(kafka, f"{topic}-old")
    counts = collected.counts
    assert counts.dead_letters == 0
    files = [path.name for path in (tmp_path / "dead-letters").iterdir()]
    assert files == ["v2:app.trial.jsonl"]
    assert trial_letters(tmp_path)[0]["topic"] == f"{topic}-old"
    wait_for(lambda: settled(collected), "every post of the trial is somewhere")
    found = ids(kafka, f"{topic}-old") + [int(str(one["key"])) - FIRST for one in trial_letters(tmp_path)]
    assert sorted(found) == list(range(1, collected.sent + 1))


def settled(collected: Collected) -> bool:
    counts = collected.counts.trial
    return counts["delivered"] + counts["dead_letters"] == counts["accepted"] == collected.sent


def trial_letters(folder: Path) -> list[dict[str, object]]:
    file = folder / "dead-letters" / "v2:app.trial.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


class Answered:
    """The end of a pipe to the process that asked."""

    def __init__(self) -> None:
        self.said = (False, "")

    def send(self, said: tuple[bool, str]) -> None:
        self.said = said


def test_the_check_tries_both_topics(kafka: KafkaProcess, topic: str, tmp_path: Path) -> None:
    birth = kafka_birth(kafka.bootstrap_servers, tmp_path, topic=topic)
    settings = replace(birth.settings, api="v2", trial=f"{topic}-old")
    answer = Answered()
    check_output(settings, answer)  # type: ignore[arg-type]  # the one method that is used
    is_good, text = answer.said
    assert not is_good
    assert f"no topic {topic}-old" in text
    assert "[traptor] output_trial" in text
    kafka.create_topic(f"{topic}-old")
    check_output(settings, answer)  # type: ignore[arg-type]
    is_good, text = answer.said
    assert is_good
    assert f"Kafka answers: topic {topic} (" in text
    assert f"The trial: Kafka answers: topic {topic}-old (" in text
