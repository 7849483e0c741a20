"""The sink that sends messages to Kafka."""

from __future__ import annotations

import logging
import queue
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaError

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.message import Outgoing
from traptor.worker.delivery.tickets import Outcomes, Ticket
from traptor.worker.sinks.kafka.config import client_config
from traptor.worker.sinks.kafka.deadletters import DeadLetters
from traptor.worker.sinks.kafka.errors import (
    advice,
    is_missing_topic,
    is_too_large,
    lasts,
    size_advice,
    text_of,
)
from traptor.worker.sinks.kafka.lookout import Found, Lookout
from traptor.worker.sinks.kafka.producer import Failure, KafkaProducer
from traptor.worker.sinks.kafka.record import Record, Recorder, dead_letter, topics_of
from traptor.worker.sinks.kafka.revival import Cluster, Revival, changes
from traptor.worker.tweets.truncated import truncated_body

log = logging.getLogger(__name__)

# So long `open` waits for Kafka. Then the stream begins without it: what comes waits in the outbox.
REACH_S = 5.0
# What is unconfirmed is told at least this often.
_TOLD_S = 3.0
# What Kafka adds to a message, at most: the head of a batch, and lengths.
_FRAME_BYTES = 512


class _Refused(NamedTuple):
    record: Record
    reason: str


class _Sent(NamedTuple):
    ticket: Ticket
    refused: _Refused | None = None  # what is now on its way to the dead-letter topic


class _Unconfirmed(NamedTuple):
    """Since when nothing of the oldest messages is confirmed, and when that was told."""

    since: float
    told_at: float


class KafkaSink:
    """Sends each message and waits for its confirmation.

    What Kafka takes by no means goes to the dead-letter topic, and where that takes it neither, to a file.
    """

    def __init__(self, birth: Birth, settings: KafkaSettings) -> None:
        self._recorder = Recorder(birth, settings)
        self._revival = Revival(birth.settings.outbox.confirm_timeout_s)
        self._dead_letters = DeadLetters(settings.dead_letter_dir / f"{birth.connection}.jsonl")
        self._tally = Tally()
        self._lookout = Lookout(
            client_config(settings, birth.connection),
            settings,
            topics_of(settings, birth.settings.other_messages),
            on_found=self._on_found,
            on_away=self._revival.was_away,
            tally=self._tally,
        )
        self._found: Found | None = None  # at the last look
        self._made: queue.SimpleQueue[KafkaProducer[_Sent]] = queue.SimpleQueue()  # by the lookout's thread
        self._producer: KafkaProducer[_Sent] | None = None
        self._leaving: list[KafkaProducer[_Sent]] = []
        self._unconfirmed = _Unconfirmed(0.0, float("-inf"))

    def open(self, outcomes: Outcomes) -> None:
        """Reach Kafka and find the topics; where it is away, go on trying. Raises SinkError."""
        self._outcomes = outcomes
        self._lookout.look()
        self._lookout.settled.wait(REACH_S)
        self._lookout.settled.set()
        if self._lookout.error is not None:
            raise self._lookout.error
        self._take_over_what_was_made()

    def takes(self, message: Outgoing) -> bool:
        """Whether messages of this kind are sent."""
        return self._recorder.topic(message) is not None

    def deliver_at_once(self, _message: Outgoing) -> bool:
        """Nothing is delivered before Kafka has confirmed it."""
        return False

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        """Send a message; False while Kafka is not reached or librdkafka has no room."""
        if self._producer is None:
            return False
        handed = ticket.handed
        record = self._recorder.record(message, handed.outbox.generation, is_repeated=handed.is_repeated)
        if record is None:  # dropped by now; it was not when it came
            self._outcomes.delivered(ticket)
            return True
        return self._producer.send(record, _Sent(ticket))

    def serve(self) -> None:
        """Tell what Kafka confirmed and what not."""
        self._take_over_what_was_made()
        self._serve_leaving()
        if self._producer is not None:
            self._producer.serve()
            if self._producer.broken is not None and self._found is not None:
                self._replace_broken(self._found, self._producer.broken)

    def confirms_none(self, since: float) -> None:
        """Find out whether Kafka answers; where it does, have another producer go on."""
        self._unconfirmed = _Unconfirmed(since, time.monotonic())
        self._lookout.look()

    def sync(self) -> None:
        """Have the dead letters survive a power cut; what is confirmed is Kafka's business."""
        self._dead_letters.sync()

    def stop_waiting(self) -> None:
        """End the wait of `open` now; Kafka may still be reached later."""
        self._lookout.settled.set()

    def close(self) -> None:
        """Let go of Kafka and of the file."""
        self._lookout.stop()
        self._take_over_what_was_made()
        for producer in (self._producer, *self._leaving):
            if producer is not None:
                producer.close()
        self._producer, self._leaving = None, []
        self._dead_letters.close()
        for reason, count in self._tally.rest().items():
            log.info("Kafka errors not said before", extra=fields(error=reason, count=count))

    # ---- another producer

    def _take_over_what_was_made(self) -> None:
        while not self._made.empty():
            self._take_over(self._made.get())

    def _take_over(self, other: KafkaProducer[_Sent]) -> None:
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
                one.close()

    def _replace_broken(self, found: Found, error: KafkaError) -> None:
        """After a fatal error a producer takes nothing more."""
        log.warning("the Kafka producer is begun anew", extra=fields(error=text_of(error)))
        self._take_over(self._new_producer(found))

    def _new_producer(self, found: Found) -> KafkaProducer[_Sent]:
        return KafkaProducer(
            found.config, on_delivered=self._delivered, on_failed=self._failed, on_lost=self._lookout.look
        )

    # ---- what the lookout calls, in its own thread

    def _on_found(self, found: Found) -> None:
        """Make a producer where there is none, or the one there is cannot go on. Raises SinkError."""
        if self._found is None:
            self._made.put(self._new_producer(found))
        elif why := self._why_anew(self._found.cluster, found):
            log.warning("the Kafka producer is begun anew", extra=fields(error=why))
            self._made.put(self._new_producer(found))
            self._revival.begun(self._unconfirmed.since, found.at)
        self._found = found

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

    # ---- what the producer calls

    def _delivered(self, sent: _Sent) -> None:
        if sent.refused is None:
            self._outcomes.delivered(sent.ticket)
        else:
            self._outcomes.is_dead(sent.ticket)

    def _failed(self, sent: _Sent, failure: Failure) -> None:
        """Send it again, or make a dead letter of it where the same message would fail again."""
        error = failure.error
        if not lasts(error):
            self._say_again(error)
            self._outcomes.came_back(sent.ticket)
        elif is_missing_topic(error) and sent.refused is None:
            self._say_missing(failure)
            self._outcomes.came_back(sent.ticket)
            self._lookout.look()
        elif sent.refused is None and self._has_gone_shorter(sent, failure):
            self._say_truncated(failure)
        elif sent.refused is None and self._dead_letter_topic is not None:
            self._say_refused(failure, self._dead_letter_topic)
            refused = _Refused(failure.record, text_of(error))
            self._send_dead(sent.ticket, refused, error, self._dead_letter_topic)
        else:
            self._say_refused(failure, self._dead_letters.path)
            self._put_aside(sent.ticket, sent.refused or _Refused(failure.record, text_of(error)))

    def _has_gone_shorter(self, sent: _Sent, failure: Failure) -> bool:
        """Send a tweet that is too large with its rules cut to their ids; False where that does not help."""
        if not is_too_large(failure.error) or self._producer is None:
            return False
        record, most_bytes = failure.record, self._found.most_bytes if self._found is not None else None
        if not failure.is_local and most_bytes is not None and record.size_bytes + _FRAME_BYTES <= most_bytes:
            return False  # it was the batch that was too large
        body = truncated_body(record.value)
        return body is not None and self._producer.send(msgspec.structs.replace(record, value=body), sent)

    @property
    def _dead_letter_topic(self) -> str | None:
        return self._found.dead_letter_topic if self._found is not None else None

    def _say_again(self, error: KafkaError) -> None:
        text = text_of(error)
        if count := self._tally.add(text):
            log.warning("messages are sent to Kafka again", extra=fields(error=text, count=count))

    def _say_truncated(self, failure: Failure) -> None:
        topic, size_bytes = failure.record.topic, failure.record.size_bytes
        if count := self._tally.add(f"truncated {topic}"):
            about = fields(topic=topic, bytes=size_bytes, count=count)
            log.warning("rules of a tweet are cut to their ids", extra=about)

    def _say_missing(self, failure: Failure) -> None:
        topic, error = failure.record.topic, failure.error
        if count := self._tally.add(f"missing {topic}"):
            about = fields(topic=topic, error=text_of(error), count=count, advice=advice(error))
            log.error("the topic is gone, messages wait for it", extra=about)

    def _say_refused(self, failure: Failure, dead_letters: str | Path) -> None:
        text = text_of(failure.error)
        helps = self._advice(failure)
        if count := self._tally.add(f"{failure.record.topic}: {text}: {failure.is_local}"):
            about = fields(error=text, count=count, advice=helps, dead_letters=dead_letters)
            log.error("Kafka does not take messages", extra=about)

    def _advice(self, failure: Failure) -> str:
        if not is_too_large(failure.error):
            return advice(failure.error)
        most_bytes = self._found.most_bytes if self._found is not None else None
        return size_advice(failure.record.size_bytes, most_bytes, is_local=failure.is_local)

    def _send_dead(self, ticket: Ticket, refused: _Refused, error: KafkaError, topic: str) -> None:
        letter = dead_letter(refused.record, topic, error.name(), refused.reason)
        if self._producer is None or not self._producer.send(letter, _Sent(ticket, refused)):
            self._put_aside(ticket, refused)

    def _put_aside(self, ticket: Ticket, refused: _Refused) -> None:
        if self._dead_letters.write(refused.record, refused.reason):
            self._outcomes.is_dead(ticket)
        else:
            self._outcomes.came_back(ticket)
