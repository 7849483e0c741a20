"""Fixtures of the tests with a real Kafka."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.kafka import KafkaProcess, kafka_birth, running_kafka

from traptor.worker.kafka import KafkaSink

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    with running_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def kafka(running: KafkaProcess) -> Iterator[KafkaProcess]:
    """The one broker of all tests; whatever a test did to it, the next one finds it in order."""
    yield running
    if running.exit_code is not None:
        running.start()
    running.resume()


@pytest.fixture
def topic(kafka: KafkaProcess) -> str:
    """A topic of the test's own."""
    name = f"traptor-{next(_numbers)}"
    kafka.create_topic(name)
    return name


@pytest.fixture
def make_sink(tmp_path: Path) -> Iterator[Callable[..., KafkaSink]]:
    """Makes sinks, not yet opened, and closes them."""
    made: list[KafkaSink] = []

    def make(bootstrap_servers: str, **options: object) -> KafkaSink:
        birth = kafka_birth(bootstrap_servers, tmp_path, **options)  # type: ignore[arg-type]  # as they come
        assert birth.settings.kafka is not None
        made.append(KafkaSink(birth, birth.settings.kafka))
        return made[-1]

    yield make
    for sink in made:
        sink.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "kafka"] == []
