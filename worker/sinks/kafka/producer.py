"""A producer of librdkafka that outlives its own fatal errors."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.sinks.kafka.config import Config
from traptor.worker.sinks.kafka.errors import error_of, text_of
from traptor.worker.sinks.kafka.record import Headers, Record
from traptor.worker.sinks.kafka.topics import made_with

log = logging.getLogger(__name__)

_PURGE_S = 1.0

About = TypeVar("About")


class KafkaProducer(Generic[About]):
    """Sends records, and tells with `serve` what became of each. To be used by one thread at a time.

    Reports cost Python's lock one by one: whoever sends much serves them too (docs/performance.md).
    """

    def __init__(
        self,
        config: Config,
        *,
        on_delivered: Callable[[About], None],
        on_failed: Callable[[About, Record, KafkaError], None],
    ) -> None:
        """Raises SinkError when librdkafka refuses the configuration."""
        self._config: Config = {**config, "error_cb": self._on_error}
        self._on_delivered = on_delivered
        self._on_failed = on_failed
        self._producer = made_with(Producer, self._config)
        self._broken: KafkaError | None = None
        self._tally = Tally()

    def send(self, record: Record, about: About) -> bool:
        """Hand a record to librdkafka; False when it has no room, or no use, for one now."""
        try:
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                headers=record.headers,
                timestamp=record.time_ms,
                on_delivery=functools.partial(self._report, about, record.headers, record.time_ms),
            )
        except BufferError:
            return False
        except KafkaException as exception:
            return self._refused(record, about, error_of(exception))
        return True

    def serve(self) -> None:
        """Take in what there is to report."""
        self._producer.poll(0)
        if self._broken is not None:
            self._renew(self._broken)

    def close(self) -> None:
        """Let go of the brokers; of what is not confirmed nothing is told any more."""
        self._producer.purge()
        del self._producer

    # ---- steps

    def _report(
        self, about: About, headers: Headers, time_ms: int, error: KafkaError | None, message: Message
    ) -> None:
        if error is None:
            self._on_delivered(about)
            return
        topic, key, value = message.topic(), message.key(), message.value()
        assert topic is not None
        assert isinstance(value, bytes)
        assert not isinstance(key, str)
        self._on_failed(about, Record(topic, key, value, headers, time_ms), error)

    def _refused(self, record: Record, about: About, error: KafkaError) -> bool:
        """librdkafka did not take it. A broken producer is replaced with the next reports."""
        if error.fatal() or error.code() == KafkaError._FATAL:
            self._broken = self._broken or error
            return False
        if error.code() == KafkaError._QUEUE_FULL:
            return False
        self._on_failed(about, record, error)
        return True

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._broken = error
        elif count := self._tally.add(error.name()):
            log.warning("Kafka cannot be used now", extra=fields(error=text_of(error), count=count))

    def _renew(self, error: KafkaError) -> None:
        """After a fatal error a producer takes nothing more: another one goes on with what it had."""
        log.error("the Kafka producer is begun anew", extra=fields(error=text_of(error)))
        old, self._producer = self._producer, made_with(Producer, self._config)
        self._broken = None
        old.purge()
        deadline = time.monotonic() + _PURGE_S
        while len(old) and time.monotonic() < deadline:
            old.poll(0.01)
