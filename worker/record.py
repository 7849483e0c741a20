"""A message on its way to Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from traptor.common.birth import Birth, KafkaSettings
from traptor.worker.outgoing import Outgoing

Headers = list[tuple[str, str | bytes | None]]  # as librdkafka takes them; ours are bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """One message as Kafka gets it. `time_ms`: its CreateTime in unix milliseconds; 0: when it is sent."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    time_ms: int


def topics_of(settings: KafkaSettings, other_messages: str) -> list[str]:
    """The topics that records go to."""
    others = [] if other_messages in ("topic", "drop", settings.topic) else [other_messages]
    return [settings.topic, *others]


class Recorder:
    """Makes the records of one generation."""

    def __init__(self, birth: Birth, settings: KafkaSettings, clock: Callable[[], float] = time.time) -> None:
        other = birth.settings.other_messages
        self._topic = settings.topic
        self._others_topic = {"topic": settings.topic, "drop": None}.get(other, other)
        self._clock = clock
        self._headers: Headers = [
            ("content-type", b"application/json"),
            ("traptor-connection", birth.connection.encode()),
            ("traptor-generation", str(birth.generation).encode()),
        ]

    def record(self, message: Outgoing) -> Record | None:
        """The record for a message; None where it is dropped as `other_messages` says."""
        if message.tweet_id is None:
            if self._others_topic is None:
                return None
            return Record(self._others_topic, None, message.body, self._headers, 0)
        headers = self._headers
        if message.rule_ids:
            headers = [*headers, ("traptor-rules", ",".join(message.rule_ids).encode())]
        return Record(
            self._topic,
            message.tweet_id.encode(),
            message.body,
            headers,
            self._time_ms(message.created_at_ms),
        )

    def _time_ms(self, created_at_ms: int | None) -> int:
        """Never ahead of this host's clock: brokers refuse what is dated into the future."""
        return max(0, min(created_at_ms, int(self._clock() * 1000))) if created_at_ms is not None else 0
