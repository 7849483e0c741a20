"""Whatever answers after a loss of all brokers gets nothing new from a producer of another cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from traptor.common.birth import KafkaSettings
from traptor.common.logs.throttle import Tally
from traptor.worker.sinks.kafka import producers as module
from traptor.worker.sinks.kafka.lookout import ClusterFacts
from traptor.worker.sinks.kafka.producers import KafkaProducers
from traptor.worker.sinks.kafka.record import Record
from traptor.worker.sinks.kafka.revival import Cluster

RECORD = Record("posts", b"1", b"{}", [], 0)
SETTINGS = KafkaSettings("127.0.0.1:1", "posts", False, (), (), Path("unused"))


class OnPaper:
    """A producer that notes what it is given, and loses its brokers when it is told to."""

    def __init__(self, _config: object, *, on_lost: Callable[[], None], **_: object) -> None:
        self.sent: list[str] = []
        self.is_losing = False
        self.broken = None
        self.has_given_back = False
        self._on_lost = on_lost

    def send(self, _record: Record, about: str) -> bool:
        self.sent.append(about)
        return True

    def serve(self) -> None:
        if self.is_losing:
            self.is_losing = False
            self._on_lost()

    def give_back(self) -> None:
        """Nothing is held back."""


class Search:
    """The lookout; the test tells what it finds, and when that search began."""

    def __init__(self, *_: object, on_found: Callable[[ClusterFacts], None], **__: object) -> None:
        self.asked = 0
        self._on_found = on_found

    def look(self) -> None:
        self.asked += 1

    def finds(self, cluster_id: str, asked_at: float) -> None:
        self._on_found(ClusterFacts(Cluster(cluster_id, {}), {}, None, None, asked_at, asked_at))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Search:
    """The one of the producers that are made next."""
    made: list[Search] = []

    def make(*args: object, **options: Any) -> Search:
        made.append(Search(*args, **options))
        return made[-1]

    class Later:
        def __getattr__(self, name: str) -> Any:
            return getattr(made[-1], name)

    monkeypatch.setattr(module, "Lookout", make)
    monkeypatch.setattr(module, "KafkaProducer", OnPaper)
    return Later()  # type: ignore[return-value]  # it is that one


@pytest.fixture
def producers(search: Search, now: list[float]) -> KafkaProducers[str]:
    """Producers that have found cluster A."""
    made: KafkaProducers[str] = KafkaProducers(
        {},
        SETTINGS,
        ["posts"],
        confirm_timeout_s=60.0,
        on_delivered=lambda _: None,
        on_failed=lambda *_: None,
        tally=Tally(),
    )
    search.finds("A", 0.5)
    made.serve()
    return made


def present(producers: KafkaProducers[str]) -> OnPaper:
    producer = producers._producer
    assert isinstance(producer, OnPaper)
    return producer


def lose(producers: KafkaProducers[str]) -> OnPaper:
    producer = present(producers)
    producer.is_losing = True
    producers.serve()
    return producer


def test_nothing_new_is_sent_from_a_loss_until_the_cluster_that_answers_is_known(
    producers: KafkaProducers[str], search: Search
) -> None:
    assert producers.send(RECORD, "before")
    producer = lose(producers)
    assert not producers.send(RECORD, "while away")
    search.finds("A", 2.0)
    assert producers.send(RECORD, "after")
    assert present(producers) is producer
    assert producer.sent == ["before", "after"]


def test_another_cluster_gets_everything_from_a_producer_of_its_own(
    producers: KafkaProducers[str], search: Search
) -> None:
    former = lose(producers)
    search.finds("B", 2.0)
    assert not producers.send(RECORD, "its own producer is made, and not taken over yet")
    producers.serve()
    assert producers.send(RECORD, "after")
    assert (former.sent, present(producers).sent) == ([], ["after"])


def test_a_search_that_began_before_the_loss_tells_nothing_and_another_one_follows(
    producers: KafkaProducers[str], search: Search, now: list[float]
) -> None:
    now[0] = 3.0
    lose(producers)
    search.finds("A", 2.9)
    assert not producers.send(RECORD, "while away")
    asked = search.asked
    producers.serve()
    assert search.asked == asked + 1
    search.finds("A", 3.1)
    assert producers.send(RECORD, "after")


def test_what_takes_the_place_of_a_rejected_message_is_not_held_back(producers: KafkaProducers[str]) -> None:
    """It would become a dead letter, though Kafka is only away."""
    producer = lose(producers)
    assert producers.send_instead(RECORD, "shorter")
    assert producer.sent == ["shorter"]
