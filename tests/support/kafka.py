"""A real Kafka for tests, what is in its topics, and generations that write to it."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from kafka_parts.broker import KafkaProcess
from kafka_parts.jars import KafkaMissing, jars
from kafka_parts.reader import TopicReader, header

from support.births import worker_settings
from support.waiting import DEADLINE_S
from traptor.common.birth import Birth, KafkaSettings
from traptor.common.rules.rule import GroupId

__all__ = [
    "KafkaProcess",
    "all_messages",
    "codecs",
    "give_write_right",
    "header",
    "kafka_birth",
    "need_kafka",
    "running_kafka",
    "take_write_right",
]


def need_kafka() -> None:
    """Skip the test where there is no Java, or no Maven that fetches Kafka."""
    try:
        jars()
    except KafkaMissing as reason:
        pytest.skip(str(reason))


@contextmanager
def running_kafka(folder: Path, **properties: str) -> Iterator[KafkaProcess]:
    """A broker; without Java or Maven the test is skipped. Options of it with `_` for the dots."""
    broker = KafkaProcess(folder, properties={name.replace("_", "."): v for name, v in properties.items()})
    need_kafka()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def all_messages(broker: KafkaProcess, topic: str) -> list[Message]:
    """Everything that is in a topic now, by partition and offset."""
    found: list[Message] = []
    deadline = time.monotonic() + DEADLINE_S
    with TopicReader(broker.bootstrap_servers, topic) as reader:
        while not reader.is_at_end():
            found += reader.read(0.2)
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_BATCH_OVERHEAD = 12  # of its offset and its length, which does not count them


def codecs(broker: KafkaProcess, topic: str) -> set[str]:
    """How the batches of a topic are compressed, as the broker keeps them (Kafka, "Message Format", v2)."""
    found = set()
    for segment in (broker._folder / "data").glob(f"{topic}-[0-9]*/*.log"):
        data = segment.read_bytes()
        at = 0
        while at < len(data):
            (length,) = struct.unpack_from(">i", data, at + 8)
            (attributes,) = struct.unpack_from(">h", data, at + 21)
            found.add(CODECS[attributes & 0b111])
            at += _BATCH_OVERHEAD + length
    return found


def kafka_birth(
    bootstrap_servers: str,
    folder: Path,
    *,
    generation: int = 3,
    topic: str = "traptor",
    other_messages: str = "topic",
    create_topic: bool = False,
    confirm_timeout_s: float = 60.0,
    **library: str,
) -> Birth:
    """A generation that delivers to Kafka; options of librdkafka with `_` for the dots."""
    kafka = KafkaSettings(
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        create_topic=create_topic,
        library=tuple((name.replace("_", "."), value) for name, value in library.items()),
        secrets=(),
        dead_letter_dir=folder / "dead-letters",
    )
    settings = worker_settings(
        folder, max_bytes=1 << 30, output="kafka", other_messages=other_messages, kafka=kafka
    )
    settings = replace(settings, outbox=replace(settings.outbox, confirm_timeout_s=confirm_timeout_s))
    return Birth("track:0", generation, GroupId.parse("track:0"), (), settings)


def take_write_right(kafka: KafkaProcess, topic: str) -> None:
    """Nobody is allowed to write to the topic; everything else stays allowed."""
    about = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:*", "*")
    rights = [
        AclBinding(*about, AclOperation.ALL, AclPermissionType.ALLOW),
        AclBinding(*about, AclOperation.WRITE, AclPermissionType.DENY),
    ]
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})  # the answers need it
    for future in client.create_acls(rights).values():
        future.result(DEADLINE_S)


def give_write_right(kafka: KafkaProcess, topic: str) -> None:
    """Everybody is allowed to write to it again."""
    denial = AclBindingFilter(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        None,
        None,
        AclOperation.WRITE,
        AclPermissionType.DENY,
    )
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for future in client.delete_acls([denial]).values():
        future.result(DEADLINE_S)
