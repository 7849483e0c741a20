"""Replace a producer that cannot go on with another, and resend what it had."""

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
from traptor.worker.sinks.kafka.config import Config, batch_bytes
from traptor.worker.sinks.kafka.errors import text_of
from traptor.worker.sinks.kafka.lookout import ClusterFacts, Lookout
from traptor.worker.sinks.kafka.producer import KafkaProducer, Undelivered
from traptor.worker.sinks.kafka.record import Record
from traptor.worker.sinks.kafka.revival import FatalPace, Revival, changes

log = logging.getLogger(__name__)

# Maximum time between two reports of the unconfirmed messages.
_TOLD_S = 3.0

About = TypeVar("About")


class _Unconfirmed(NamedTuple):
    """Since when none of the oldest messages has been confirmed, and when that was reported."""

    since: float
    told_at: float


class KafkaProducers(Generic[About]):
    """Looks for Kafka, and sends through the producer that matches the last result.

    Used by one thread at a time, like a producer. `on_failed` receives all that a producer had when another
    one replaced it.

    While no broker can be reached, nothing new is sent: the next one to answer may belong to another cluster.
    That may give the next producer the id that the present one has, and would take the first messages of one
    to a partition for repeats of the other's.
    """

    def __init__(
        self,
        config: Config,
        settings: KafkaSettings,
        names: Sequence[str],
        *,
        confirm_timeout_s: float,
        on_delivered: Callable[[About], None],
        on_failed: Callable[[About, Undelivered], None],
        tally: Tally,
    ) -> None:
        self.found: ClusterFacts | None = None  # by the last search
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
        self._lost_at = float("-inf")

    def open(self, within_s: float) -> None:
        """Find Kafka, or continue searching after `within_s`. Raises SinkError."""
        self._lookout.look()
        self._lookout.settled.wait(within_s)
        self._lookout.settled.set()
        if self._lookout.error is not None:
            raise self._lookout.error
        self._take_over_what_was_made()

    def look_beside(self) -> None:
        """Begin to look for Kafka, and go on for as long as it takes, whatever is the matter."""
        self._lookout.settled.set()
        self._lookout.look()

    def stop_waiting(self) -> None:
        """End the wait of `open` now (any thread)."""
        self._lookout.settled.set()

    @property
    def trouble(self) -> str:
        """Why Kafka is not found; empty: it is, or is not sought (any thread)."""
        return self._lookout.trouble

    def look(self) -> None:
        """Check whether Kafka is still the same."""
        self._lookout.look()

    def confirms_none(self, since: float) -> None:
        """Check whether Kafka answers; if it does, switch to another producer."""
        self._unconfirmed = _Unconfirmed(since, time.monotonic())
        self._lookout.look()

    def send(self, record: Record, about: About) -> bool:
        """Send a record; return False while Kafka is not found or librdkafka has no room."""
        if self._is_lost or not self._made.empty():
            return False
        return self.send_instead(record, about)

    def send_instead(self, record: Record, about: About) -> bool:
        """Send a record in place of one that Kafka just rejected; return False if that is impossible now."""
        return self._producer is not None and self._producer.send(record, about)

    def serve(self) -> None:
        """Report what Kafka confirmed and what it did not."""
        self._take_over_what_was_made()
        self._serve_leaving()
        if self._producer is not None:
            self._producer.serve()
            self._replace_broken(self._producer)
        if self._is_lost:
            self._lookout.look()  # one that began before the loss tells nothing

    def close(self) -> None:
        """Disconnect from Kafka; unconfirmed records are no longer reported."""
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
        """Continue with another producer, including what the previous one gives back."""
        if self._producer is not None:
            self._producer.give_back()
            self._leaving.append(self._producer)
        self._producer = other

    def _serve_leaving(self) -> None:
        for one in list(self._leaving):
            one.serve()
            if one.has_given_back:
                self._leaving.remove(one)
                # Closing waits for librdkafka's threads, and one of these may wait for a name server.
                threading.Thread(target=one.close, name="kafka-end", daemon=True).start()

    def _replace_broken(self, broken: KafkaProducer[About]) -> None:
        """Replace the producer: after a fatal error it accepts nothing more."""
        now = time.monotonic()
        if broken.broken is None or self.found is None or not self._pace.is_due(now):
            return
        self._pace.replaced(now)
        log.warning("the Kafka producer is restarted", extra=fields(error=text_of(broken.broken)))
        self._take_over(self._new_producer(self.found))

    def _new_producer(self, found: ClusterFacts) -> KafkaProducer[About]:
        return KafkaProducer(
            found.config, on_delivered=self._delivered, on_failed=self._on_failed, on_lost=self._lose
        )

    @property
    def _is_lost(self) -> bool:
        """True from the loss of all brokers until the cluster that answers again is known."""
        return self.found is not None and self.found.asked_at < self._lost_at

    def _lose(self) -> None:
        self._lost_at = time.monotonic()
        self._lookout.look()

    def _delivered(self, about: About) -> None:
        self._pace.confirmed()
        self._on_delivered(about)

    # ---- called by the lookout, in its thread

    def _on_found(self, found: ClusterFacts) -> None:
        """Create a producer if there is none, or if the present one cannot go on. Raises SinkError."""
        if self.found is None:
            self._made.put(self._new_producer(found))
        elif why := self._why_anew(self.found, found):
            log.warning("the Kafka producer is restarted", extra=fields(error=why))
            self._made.put(self._new_producer(found))
            self._revival.begun(self._unconfirmed.since, found.at)
        self.found = found

    def _why_anew(self, before: ClusterFacts, found: ClusterFacts) -> str:
        """Return why the producer must be replaced; empty when it need not be."""
        if changed := changes(before.cluster, found.cluster):
            return ", ".join(changed)
        if batch_bytes(found.config) < batch_bytes(before.config):
            return f"the topics take batches up to {found.most_bytes} bytes now"
        if found.at - self._unconfirmed.told_at > _TOLD_S:
            return ""
        if any(topic.leaderless for topic in found.cluster.topics.values()):
            self._revival.was_away(found.at)
        is_due = self._revival.is_due(self._unconfirmed.since, found.at)
        return "Kafka answers and confirms nothing" if is_due else ""
