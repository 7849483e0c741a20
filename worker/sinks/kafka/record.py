"""A message on its way to Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from traptor.common.birth import Birth, KafkaSettings
from traptor.worker.outbox.message import Outgoing

Headers = list[tuple[str, str | bytes | None]]  # as librdkafka accepts them; ours are bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """One message for Kafka. `time_ms`: its CreateTime in unix milliseconds; 0: the time of sending."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    time_ms: int

    @property
    def size_bytes(self) -> int:
        """The approximate size that Kafka counts: value, key and headers."""
        in_headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(self.value) + len(self.key or b"") + in_headers


def topics_of(settings: KafkaSettings, other_messages: str) -> list[str]:
    """Return the topics that records go to."""
    others = [] if other_messages in ("topic", "drop", settings.topic) else [other_messages]
    return [settings.topic, *others]


class Recorder:
    """Makes records of the messages of one connection."""

    def __init__(self, birth: Birth, settings: KafkaSettings, clock: Callable[[], float] = time.time) -> None:
        other = birth.settings.other_messages
        self._topic = settings.topic
        self._others_topic = {"topic": settings.topic, "drop": None}.get(other, other)
        self._has_one_key_for_versions = birth.settings.edits == "last"
        self._clock = clock
        self._connection = birth.stands_for
        self._heads: dict[tuple[int, bool], Headers] = {}

    def topic(self, message: Outgoing) -> str | None:
        """Return where a message goes; None when `other_messages` drops it."""
        return self._topic if message.tweet_id is not None else self._others_topic

    def record(self, message: Outgoing, generation: int, *, is_repeated: bool) -> Record | None:
        """Return the record for a message that `generation` read; None when it is dropped.

        `is_repeated`: it may have been delivered before.
        """
        topic = self.topic(message)
        if topic is None:
            return None
        headers = self._head(generation, is_repeated)
        if message.tweet_id is None:
            return Record(topic, None, message.body, headers, 0)
        if message.payload is not None:
            headers = [*headers, ("traptor-payload", message.payload.encode())]
        if message.rule_ids:
            headers = [*headers, ("traptor-rules", ",".join(message.rule_ids).encode())]
        key = message.tweet_id
        if message.edit_of is not None:
            headers = [*headers, ("traptor-edit-of", message.edit_of.encode())]
            if self._has_one_key_for_versions:
                key = message.edit_of
        return Record(topic, key.encode(), message.body, headers, self._time_ms(message.created_at_ms))

    def _head(self, generation: int, is_repeated: bool) -> Headers:
        head = self._heads.get((generation, is_repeated))
        if head is None:
            head = [
                ("content-type", b"application/json"),
                ("traptor-connection", self._connection.encode()),
                ("traptor-generation", str(generation).encode()),
            ]
            if is_repeated:
                head.append(("traptor-redelivered", b"true"))
            self._heads[generation, is_repeated] = head
        return head

    def _time_ms(self, created_at_ms: int | None) -> int:
        """Return the time, capped at this host's clock: brokers reject messages dated in the future."""
        return max(0, min(created_at_ms, int(self._clock() * 1000))) if created_at_ms is not None else 0


def dead_letter(record: Record, topic: str, error: str, message: str) -> Record:
    """Return the record for the dead-letter topic: the message unchanged, with the reason in headers.

    Their form follows Kafka Connect's (errors.deadletterqueue.context.headers.enable).
    """
    about: Headers = [
        ("traptor.error.topic", record.topic.encode()),
        ("traptor.error.class", error.encode()),
        ("traptor.error.message", message.encode()),
        ("traptor.error.stage", b"deliver"),
        ("traptor.error.timestamp", datetime.now(UTC).isoformat(timespec="milliseconds").encode()),
    ]
    return msgspec.structs.replace(record, topic=topic, headers=[*record.headers, *about])
