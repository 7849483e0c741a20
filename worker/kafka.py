"""The sink that sends messages to Kafka."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from confluent_kafka import KafkaError

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.logs import fields, lifecycle
from traptor.worker.kafkaconfig import Config, client_config, fitted
from traptor.worker.kafkaerrors import UNCONFIRMED, advice, is_final, text_of
from traptor.worker.kafkaproducer import KafkaProducer
from traptor.worker.kafkatopics import KafkaAway, Topics, need_topics
from traptor.worker.outgoing import Outgoing, SinkCounts, SinkStopped
from traptor.worker.record import Record, Recorder, topics_of
from traptor.worker.tally import Tally
from traptor.worker.undelivered import Undelivered

log = logging.getLogger(__name__)

_ROOM_S = 0.05
_ASK_AGAIN_S = 1.0
_SEND_AGAIN_S = 1.0
_SAY_AFTER_S = 1.0
# At the end of a drain so much of its time, or a quarter of it, is for keeping what is not confirmed.
_KEEP_S = 1.0


class KafkaSink:
    """Sends each message and waits for its confirmation. Where there is no room it waits, however long.

    What Kafka takes by no means goes to a file of undelivered messages, and so does what is not confirmed
    when a drain ends.
    """

    def __init__(self, birth: Birth, settings: KafkaSettings) -> None:
        self.counts = SinkCounts()
        self.waiting_since: float | None = None
        self._config = client_config(settings, birth.connection)
        self._settings = settings
        self._topics = topics_of(settings, birth.settings.other_messages)
        self._recorder = Recorder(birth, settings)
        self._undelivered = Undelivered(
            settings.undelivered_dir / f"{birth.connection}-{birth.generation}.jsonl"
        )
        self._producer: KafkaProducer | None = None
        self._in_hand: deque[Record] = deque()  # librdkafka had no room for them
        self._again: deque[Record] = deque()  # came back undelivered, and may be delivered yet
        self._send_again_at = 0.0
        self._is_over = False
        self._stopped = threading.Event()
        self._tally = Tally()
        self._is_said = False

    def open(self) -> None:
        """Reach Kafka and find the topics, however long it is away. Raises SinkError, SinkStopped."""
        topics = Topics(self._config, self._stopped)
        self.waiting_since = since = time.monotonic()
        try:
            while (config := self._reached(topics)) is None:
                if self._stopped.wait(_ASK_AGAIN_S):
                    raise SinkStopped("the wait for Kafka was ended")
        finally:
            self.waiting_since = None
        self._say_that_it_works(since)
        self._producer = KafkaProducer(
            config, on_delivered=self._delivered, on_failed=self._failed, on_tick=self._send_again
        )

    def send(self, message: Outgoing) -> None:
        """Send a message, waiting for room. Raises SinkStopped; the message is then left to `drain`."""
        record = self._recorder.record(message)
        if record is None:
            return
        self.counts.accepted += 1
        self._in_hand.append(record)
        if not self._send_in_hand():
            self._wait_for_room()

    def stop_waiting(self) -> None:
        """End a wait of `open` or `send` now and for good."""
        self._stopped.set()

    def drain(self, deadline: float) -> int:
        """Have what is in hand confirmed until `deadline` (monotonic); how many messages were not."""
        now = time.monotonic()
        until = deadline - min(_KEEP_S, max(0.0, deadline - now) / 4)
        if self._producer is None:
            return 0
        self.waiting_since = now
        try:
            while self._unconfirmed() and time.monotonic() < until:
                self._send_in_hand()
                self._producer.serve(max(0.0, min(_ROOM_S, until - time.monotonic())))
        finally:
            self.waiting_since = None
        return self._give_up() if self._unconfirmed() else 0

    def close(self) -> None:
        """Let go of Kafka and of the file."""
        if self._producer is not None:
            self._producer.close()
            self._producer = None
        self._undelivered.close()
        for reason, count in self._tally.rest().items():
            log.info("Kafka errors not said before", extra=fields(error=reason, count=count))

    # ---- reaching it

    def _reached(self, topics: Topics) -> Config | None:
        """What the producer is made with; None when Kafka is away."""
        try:
            found = need_topics(topics, self._topics, self._settings.create_topic)
            most_bytes = topics.largest_message_bytes(self._topics)
        except KafkaAway as error:
            if self._tally.add("away"):
                self._is_said = True
                log.error("waiting for Kafka", extra=fields(error=str(error)))
            return None
        if created := [name for name, partitions in found.items() if not partitions]:
            log.warning("topics created", extra=fields(topics=",".join(created)))
        return self._config if most_bytes is None else fitted(self._config, most_bytes, self._settings)

    # ---- sending

    def _send_in_hand(self) -> bool:
        """Whether all is handed on; what came back goes first."""
        assert self._producer is not None
        while self._in_hand and not self._again:
            if not self._producer.send(self._in_hand[0]):
                return False
            self._in_hand.popleft()
        return not self._in_hand

    def _wait_for_room(self) -> None:
        assert self._producer is not None
        self.waiting_since = since = time.monotonic()
        try:
            while not self._stopped.is_set():
                self._producer.serve(_ROOM_S)
                if self._send_in_hand():
                    self._say_that_it_works(since)
                    return
                if time.monotonic() - since > _SAY_AFTER_S and self._tally.add("no room"):
                    self._is_said = True
                    log.error(
                        "waiting for Kafka to take messages", extra=fields(unconfirmed=self._unconfirmed())
                    )
            raise SinkStopped("the wait for room in Kafka's queue was ended")
        finally:
            self.waiting_since = None

    def _unconfirmed(self) -> int:
        counts = self.counts
        return counts.accepted - counts.delivered - counts.failed

    # ---- what the producer calls, one at a time

    def _delivered(self) -> None:
        self.counts.delivered += 1

    def _failed(self, record: Record, error: KafkaError) -> None:
        text = text_of(error)
        if self._is_over:
            self._keep(record, text if is_final(error) else UNCONFIRMED)
        elif is_final(error):
            self._keep(record, text)
            if count := self._tally.add(text):
                file = self._undelivered.path
                about = fields(error=text, count=count, advice=advice(error), file=file)
                log.error("Kafka does not take messages", extra=about)
        else:
            self._again.append(record)
            if count := self._tally.add(text):
                log.warning("messages are sent to Kafka again", extra=fields(error=text, count=count))

    def _send_again(self) -> None:
        now = time.monotonic()
        if not self._again or self._is_over or now < self._send_again_at:
            return
        assert self._producer is not None
        self._send_again_at = now + _SEND_AGAIN_S
        for _ in range(len(self._again)):
            if not self._producer.send(self._again[0]):
                return
            self._again.popleft()

    # ---- giving up

    def _give_up(self) -> int:
        assert self._producer is not None
        failed_before = self.counts.failed
        self._is_over = True
        self._producer.give_up()
        for record in (*self._again, *self._in_hand):
            self._keep(record, UNCONFIRMED)
        self._again.clear()
        self._in_hand.clear()
        count = self.counts.failed - failed_before
        log.error("messages are not delivered", extra=fields(count=count, file=self._undelivered.path))
        return count

    def _keep(self, record: Record, reason: str) -> None:
        self._undelivered.write(record, reason)
        self.counts.failed += 1

    def _say_that_it_works(self, since: float) -> None:
        if self._is_said:
            self._is_said = False
            log.warning("Kafka works", extra=lifecycle(waited_s=round(time.monotonic() - since, 3)))
