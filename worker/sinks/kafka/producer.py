"""Run one producer of librdkafka."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.sinks.kafka.config import Config, batch_bytes
from traptor.worker.sinks.kafka.errors import error_of, text_of
from traptor.worker.sinks.kafka.record import Headers, Record
from traptor.worker.sinks.kafka.topics import made_with

log = logging.getLogger(__name__)

# Other errors may concern one broker of several.
_NOTHING_IS_SENT = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION})

About = TypeVar("About")


class Undelivered(NamedTuple):
    """Tell of a record that was not delivered, and why; `is_local`: no broker was asked."""

    record: Record
    error: KafkaError
    is_local: bool
    batch_bytes: int  # the largest batch of the producer that sent it


class KafkaProducer(Generic[About]):
    """Sends records, and reports with `serve` what became of each. For use by one thread at a time.

    `broken` is the error after which it accepts nothing more. Each report takes the GIL: a thread that sends
    much should also serve the reports (docs/performance.md).
    """

    def __init__(
        self,
        config: Config,
        *,
        on_delivered: Callable[[About], None],
        on_failed: Callable[[About, Undelivered], None],
        on_lost: Callable[[], None],
    ) -> None:
        """Create it; `on_lost` is called when no broker can be reached. Raises as `made_with` does."""
        self.broken: KafkaError | None = None
        self._on_delivered = on_delivered
        self._on_failed = on_failed
        self._on_lost = on_lost
        self._batch_bytes = batch_bytes(config)
        self._producer = made_with(Producer, {**config, "error_cb": self._on_error})
        self._tally = Tally()

    def send(self, record: Record, about: About) -> bool:
        """Pass a record to librdkafka; return False when it cannot take one now."""
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
        """Handle the reports that have arrived."""
        try:
            self._producer.poll(0)
        except KafkaException as exception:  # the binding may raise a fatal error besides reporting it
            error = error_of(exception)
            if not error.fatal():
                raise
            self.broken = self.broken or error

    def give_back(self) -> None:
        """Make `serve` report everything unconfirmed as failed; close the producer when `has_given_back`."""
        self._producer.purge()

    @property
    def has_given_back(self) -> bool:
        """True when `serve` has reported everything."""
        return not len(self._producer)

    def close(self) -> None:
        """Disconnect from the brokers; unconfirmed records are no longer reported."""
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
        record = Record(topic, key, value, headers, time_ms)
        self._on_failed(about, Undelivered(record, error, is_local=False, batch_bytes=self._batch_bytes))

    def _refused(self, record: Record, about: About, error: KafkaError) -> bool:
        """Tell whether librdkafka is done with a record that it rejected."""
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.broken = self.broken or error
            return False
        if error.code() == KafkaError._QUEUE_FULL:
            return False
        self._on_failed(about, Undelivered(record, error, is_local=True, batch_bytes=self._batch_bytes))
        return True

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._on_lost()
        if error.fatal():
            self.broken = error
        elif count := self._tally.add(error.name()):
            level = logging.ERROR if error.code() in _NOTHING_IS_SENT else logging.WARNING
            log.log(level, "Kafka reports an error", extra=fields(error=text_of(error), count=count))
