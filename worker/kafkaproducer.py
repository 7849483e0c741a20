"""A producer of librdkafka that outlives its own fatal errors, and whose reports come whoever waits for what.

Reports are served by the sender itself, every so many messages and while it waits for room: a thread of its
own would have to take Python's lock from a busy sender for each single report. A small thread serves them
while nothing is sent.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from traptor.common.logs import fields
from traptor.worker.kafkaconfig import Config
from traptor.worker.kafkaerrors import error_of, text_of
from traptor.worker.kafkatopics import made_with
from traptor.worker.record import Headers, Record
from traptor.worker.tally import Tally

log = logging.getLogger(__name__)

_SERVE_EVERY = 64
_TICK_S = 0.1
_PURGE_S = 1.0


class KafkaProducer:
    """Sends records, and tells what becomes of each by a callback, never from two threads at once."""

    def __init__(
        self,
        config: Config,
        *,
        on_delivered: Callable[[], None],
        on_failed: Callable[[Record, KafkaError], None],
        on_tick: Callable[[], None],
    ) -> None:
        """`on_tick` is called after reports. Raises SinkError when librdkafka refuses the configuration."""
        self._config: Config = {**config, "error_cb": self._on_error}
        self._on_delivered = on_delivered
        self._on_failed = on_failed
        self._on_tick = on_tick
        self._producer = made_with(Producer, self._config)
        self._broken: KafkaError | None = None
        self._tally = Tally()
        self._unserved = 0
        self._served_at = 0.0
        self._lock = threading.RLock()  # around every callback
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="kafka", daemon=True)
        self._thread.start()

    def send(self, record: Record) -> bool:
        """Hand a record to librdkafka; False when it has no room, or no use, for one now."""
        try:
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                headers=record.headers,
                timestamp=record.time_ms,
                on_delivery=functools.partial(self._report, record.headers, record.time_ms),
            )
        except BufferError:
            return False
        except KafkaException as exception:
            return self._refused(record, error_of(exception))
        self._unserved += 1
        if self._unserved >= _SERVE_EVERY:
            self.serve(0)
        return True

    def serve(self, wait_s: float) -> None:
        """Take in reports, waiting so long for the first one."""
        with self._lock:
            self._unserved = 0
            self._producer.poll(wait_s)
            self._served_at = time.monotonic()
            if self._broken is not None:
                self._renew(self._broken)
            self._on_tick()

    def give_up(self) -> None:
        """Take back everything that is not confirmed: each comes to `on_failed`."""
        with self._lock:
            self._take_back(self._producer)

    def close(self) -> None:
        """Let go of the brokers."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            del self._producer

    # ---- steps

    def _report(self, headers: Headers, time_ms: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._on_delivered()
            return
        topic, value = message.topic(), message.value()
        assert topic is not None
        assert isinstance(value, bytes)
        key = message.key()
        assert not isinstance(key, str)
        self._on_failed(Record(topic, key, value, headers, time_ms), error)

    def _refused(self, record: Record, error: KafkaError) -> bool:
        """librdkafka did not take it. A broken producer is replaced with the next reports."""
        if error.fatal() or error.code() == KafkaError._FATAL:
            self._broken = self._broken or error
            return False
        if error.code() == KafkaError._QUEUE_FULL:
            return False
        with self._lock:
            self._on_failed(record, error)
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
        self._take_back(old)
        self._broken = None

    def _take_back(self, producer: Producer) -> None:
        producer.purge()
        deadline = time.monotonic() + _PURGE_S
        while len(producer) and time.monotonic() < deadline:
            producer.poll(0.01)

    def _tick(self) -> None:
        while not self._closing.wait(_TICK_S):
            if time.monotonic() - self._served_at >= _TICK_S:
                self.serve(0)
