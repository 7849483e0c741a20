"""Fixtures of the tests with a real Kafka."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.kafka import KafkaProcess, kafka_birth, running_kafka

from traptor.worker.delivery.delivery import Delivery
from traptor.worker.sinks.outputs import sink_of

# Whatever has no ACL is open to everybody.
WITH_RIGHTS = {
    "authorizer_class_name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow_everyone_if_no_acl_found": "true",
}

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def all_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Recoveries are lines, too."""
    caplog.set_level(logging.INFO, "traptor")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    with running_kafka(tmp_path_factory.mktemp("kafka"), **WITH_RIGHTS) as broker:
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
def make(tmp_path: Path) -> Iterator[Callable[..., Delivery]]:
    """Makes generations that deliver to Kafka, not yet opened, and has them let go at the end."""
    made: list[Delivery] = []

    def make_one(bootstrap_servers: str, **options: object) -> Delivery:
        birth = kafka_birth(bootstrap_servers, tmp_path, **options)  # type: ignore[arg-type]  # as they come
        made.append(Delivery(birth, sink_of(birth)))
        return made[-1]

    yield make_one
    for delivery in made:
        delivery.drain(time.monotonic())
    assert [thread.name for thread in threading.enumerate() if thread.name in ("kafka", "delivery")] == []
