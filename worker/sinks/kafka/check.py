"""One look at Kafka, for `--check`."""

from __future__ import annotations

import threading

from confluent_kafka import Producer

from traptor.common.birth import KafkaSettings
from traptor.worker.sinks.kafka.config import client_config
from traptor.worker.sinks.kafka.record import topics_of
from traptor.worker.sinks.kafka.topics import Topics, made_with, missing_topics


def look_at_kafka(settings: KafkaSettings, other_messages: str) -> str:
    """What was found, as a sentence. Raises SinkError; changes nothing."""
    config = client_config(settings, "check")
    made_with(Producer, config)  # it refuses more than the client that asks for topics
    topics = Topics(config, threading.Event())
    found = topics.partitions(topics_of(settings, other_messages))
    missing_topics(found, settings.create_topic)
    said = [f"topic {name} ({_partitions(count)})" for name, count in found.items()]
    return f"Kafka answers: {', '.join(said)}."


def _partitions(count: int) -> str:
    if not count:
        return "not there, it will be created"
    return f"{count} partition{'s' * (count > 1)}"
