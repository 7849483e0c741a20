"""Brings about each state of the output whose code in the worker logs it, and ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from support.gatesink import GateSink
from support.nospace import file_size_limit
from support.outgoing import Heard, tweet
from support.waiting import wait_for
from traptor.common.birth import KafkaSettings
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.patience import Front
from traptor.worker.delivery.progress import Progress
from traptor.worker.delivery.watch import OutputWatch
from traptor.worker.sinks.kafka.lookout import Lookout
from traptor.worker.sinks.kafka.topics import KafkaAway
from traptor.worker.sinks.outputs import line_sink

Drive = Callable[[Path], None]


def be_without_kafka(_folder: Path) -> None:
    settings = cast(KafkaSettings, SimpleNamespace())
    lookout = Lookout(
        {}, settings, (), on_found=lambda _: None, on_away=lambda _: None, tally=Tally()
    )  # fmt: skip
    answers = iter([KafkaAway("no broker answers")])

    def find() -> Any:
        for error in answers:
            raise error
        return SimpleNamespace(at=0.0)

    lookout._find = find  # type: ignore[method-assign]
    lookout.look()
    wait_for(lookout.settled.is_set, "Kafka is found")
    lookout.stop()


def be_without_room(folder: Path) -> None:
    sink = line_sink(f"jsonl:{folder / 'out'}", "topic", "track:0")
    sink.open(Heard())
    with file_size_limit(0):
        assert not sink.deliver_at_once([tweet(1)])
    assert sink.deliver_at_once([tweet(1)])
    sink.close()


def confirm_nothing(_folder: Path) -> None:
    watch = OutputWatch(GateSink(), timeout_s=10.0)
    for now in (100.0, 110.0):
        watch.look(Front("batch", 3), backlog=3, now=now)
    watch.look(None, backlog=0, now=111.0)


def take_too_little(_folder: Path) -> None:
    progress = Progress()
    for messages, now in ((5, 0.0), (5, 3.0), (0, 4.0)):
        progress.say(messages, 500, now)


OUTPUT_DRIVES: list[tuple[tuple[str, ...], str, Drive]] = [
    (("OUTPUT failing",), "waiting for Kafka", be_without_kafka),
    (("OUTPUT failing",), "waiting for the output", be_without_room),
    (("OUTPUT failing",), "the output confirms nothing", confirm_nothing),
    (("OUTPUT behind",), "messages wait in the outbox", take_too_little),
]
