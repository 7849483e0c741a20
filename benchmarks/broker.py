"""A real Kafka for a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from kafka_parts.broker import KafkaProcess
from kafka_parts.jars import KafkaMissing

from traptor.common.birth import KafkaSettings

TOPIC = "benchmark"


@contextmanager
def kafka_broker(folder: Path) -> Iterator[KafkaProcess | None]:
    """Yield a broker on this host, with the topic; None, with a message, if it cannot be run."""
    broker = KafkaProcess(folder / "kafka")
    try:
        broker.start()
    except KafkaMissing as reason:
        click.echo(f"not measured with Kafka: {reason}", err=True)
        yield None
        return
    try:
        broker.create_topic(TOPIC)
        yield broker
    finally:
        broker.stop()


def kafka_settings(broker: KafkaProcess, folder: Path) -> KafkaSettings:
    """Return the settings with which a worker delivers to it."""
    return KafkaSettings(broker.bootstrap_servers, TOPIC, False, (), (), folder / "undelivered")
