"""One producer after the other: who takes over when one cannot go on, and what becomes of what it had."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from traptor.common.birth import KafkaSettings
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.sinks.kafka.config import Config
from traptor.worker.sinks.kafka.errors import text_of
from traptor.worker.sinks.kafka.lookout import Found, Lookout
from traptor.worker.sinks.kafka.producer import Failure, KafkaProducer
from traptor.worker.sinks.kafka.record import Record
from traptor.worker.sinks.kafka.revival import Cluster, FatalPace, Revival, changes

log = logging.getLogger(__name__)

# What is unconfirmed is told at least this often.
_TOLD_S = 3.0

About = TypeVar("About")


class _Unconfirmed(NamedTuple):
    """Since when nothing of the oldest messages is confirmed, and when that was told."""

    since: float
    told_at: float


class KafkaProducers(Generic[About]):
    """Looks for Kafka, and sends through the producer that goes with what was found last.

    Used by one thread at a time, as a producer is. `on_failed` is told of all that a producer had when
    another one took over.
    """

    def __init__(
        self,
        config: Config,
        settings: KafkaSettings,
        names: Sequence[str],
        *,
        confirm_timeout_s: float,
        on_delivered: Callable[[About], None],
        on_failed: Callable[[About, Failure], None],
        tally: Tally,
    ) -> None:
        self.found: Found | None = None  # at the last look
        self._on_delivered = on_delivered
        self._on_failed = on_failed
        self._revival = Revival(confirm_timeout_s)
        self._pace = FatalPace()
        self._lookout = Lookout(
            config, settings, names, on_found=self._on_found, on_away=self._revival.was_away, tally=tally
        )
        self._made: queue.SimpleQueue[KafkaProducer[About]] = queue.SimpleQueue()  # by the lookout's thread
        self._producer: KafkaProducer[About] | None = None
        self._leaving: list[KafkaProducer[About]] = []
        self._unconfirmed = _Unconfirmed(0.0, float("-inf"))

    def open(self, within_s: float) -> None:
        """Find Kafka, or go on looking when the time is over. Raises SinkError."""
        self._lookout.look()
        self._lookout.settled.wait(within_s)
        self._lookout.settled.set()
        if self._lookout.error is not None:
            raise self._lookout.error
        self._take_over_what_was_made()

    def stop_waiting(self) -> None:
        """End the wait of `open` now (any thread)."""
        self._lookout.settled.set()

    def look(self) -> None:
        """Find out whether Kafka is still what it was."""
        self._lookout.look()

    def confirms_none(self, since: float) -> None:
        """Find out whether Kafka answers; where it does, have another producer go on."""
        self._unconfirmed = _Unconfirmed(since, time.monotonic())
        self._lookout.look()

    def send(self, record: Record, about: About) -> bool:
        """Send a record; False while Kafka is not found or librdkafka has no room."""
        return self._producer is not None and self._producer.send(record, about)

    def serve(self) -> None:
        """Tell what Kafka confirmed and what not."""
        self._take_over_what_was_made()
        self._serve_leaving()
        if self._producer is not None:
            self._producer.serve()
            self._replace_broken(self._producer)

    def close(self) -> None:
        """Let go of Kafka; of what is not confirmed nothing is told any more."""
        self._lookout.stop()
        self._take_over_what_was_made()
        for producer in (self._producer, *self._leaving):
            if producer is not None:
                producer.close()
        self._producer, self._leaving = None, []

    # ---- steps

    def _take_over_what_was_made(self) -> None:
        while not self._made.empty():
            self._take_over(self._made.get())

    def _take_over(self, other: KafkaProducer[About]) -> None:
        """Have another producer go on with what the one before it gives back."""
        if self._producer is not None:
            self._producer.give_back()
            self._leaving.append(self._producer)
        self._producer = other

    def _serve_leaving(self) -> None:
        for one in list(self._leaving):
            one.serve()
            if one.has_given_back:
                self._leaving.remove(one)
                # It waits for librdkafka's threads, and one of these may wait for a name server.
                threading.Thread(target=one.close, name="kafka-end", daemon=True).start()

    def _replace_broken(self, broken: KafkaProducer[About]) -> None:
        """After a fatal error a producer takes nothing more."""
        now = time.monotonic()
        if broken.broken is None or self.found is None or not self._pace.is_due(now):
            return
        self._pace.replaced(now)
        log.warning("the Kafka producer is restarted", extra=fields(error=text_of(broken.broken)))
        self._take_over(self._new_producer(self.found))

    def _new_producer(self, found: Found) -> KafkaProducer[About]:
        return KafkaProducer(
            found.config, on_delivered=self._delivered, on_failed=self._on_failed, on_lost=self._lookout.look
        )

    def _delivered(self, about: About) -> None:
        self._pace.confirmed()
        self._on_delivered(about)

    # ---- what the lookout calls, in its own thread

    def _on_found(self, found: Found) -> None:
        """Make a producer where there is none, or the one there is cannot go on. Raises SinkError."""
        if self.found is None:
            self._made.put(self._new_producer(found))
        elif why := self._why_anew(self.found.cluster, found):
            log.warning("the Kafka producer is restarted", extra=fields(error=why))
            self._made.put(self._new_producer(found))
            self._revival.begun(self._unconfirmed.since, found.at)
        self.found = found

    def _why_anew(self, before: Cluster, found: Found) -> str:
        """Return why the producer has to be another one; empty: it has not."""
        if changed := changes(before, found.cluster):
            return ", ".join(changed)
        if found.at - self._unconfirmed.told_at > _TOLD_S:
            return ""
        if any(topic.leaderless for topic in found.cluster.topics.values()):
            self._revival.was_away(found.at)
        is_due = self._revival.is_due(self._unconfirmed.since, found.at)
        return "Kafka answers and confirms nothing" if is_due else ""
