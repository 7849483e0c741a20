"""Send messages to Kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaError

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.sink import Results, Ticket
from traptor.worker.outbox.message import Outgoing
from traptor.worker.sinks.kafka.config import batch_bytes, client_config
from traptor.worker.sinks.kafka.deadletters import DeadLetters
from traptor.worker.sinks.kafka.errors import (
    advice,
    is_missing_topic,
    is_too_large,
    lasts,
    missing_advice,
    size_advice,
    text_of,
)
from traptor.worker.sinks.kafka.producer import Undelivered
from traptor.worker.sinks.kafka.producers import KafkaProducers
from traptor.worker.sinks.kafka.record import Record, Recorder, dead_letter, topics_of
from traptor.worker.tweets.truncated import truncated_body

log = logging.getLogger(__name__)

# Maximum time that `open` waits for Kafka. Then the stream starts without it, and messages wait in the
# outbox.
REACH_S = 5.0
# The most that Kafka adds to a message: the header of a batch, and lengths.
_FRAME_BYTES = 512
# Once looked up after a rejected batch, the topics' limits count as known for this long.
_LIMITS_KNOWN_S = 5.0


class _Refused(NamedTuple):
    record: Record
    reason: str


class _Sent(NamedTuple):
    ticket: Ticket
    refused: _Refused | None = None  # the record that is now on its way to the dead-letter topic


class KafkaSink:
    """Sends each message and waits for its confirmation.

    Messages that Kafka permanently rejects go to the dead-letter topic, or if that rejects them too, to a
    file.
    """

    def __init__(
        self, birth: Birth, settings: KafkaSettings, dead_letters: DeadLetters | None = None
    ) -> None:
        """Take the file of dead letters, by default the connection's own."""
        self._recorder = Recorder(birth, settings)
        file = settings.dead_letter_dir / f"{birth.connection}.jsonl"
        self._dead_letters = dead_letters or DeadLetters(file)
        self._topic_option = settings.topic_option
        self._tally = Tally()
        self._limits_doubted_at: float | None = None
        self._came_back = ""  # the error of the last message that did, until one is confirmed
        self._producers: KafkaProducers[_Sent] = KafkaProducers(
            client_config(settings, birth.connection),
            settings,
            topics_of(settings, birth.settings.other_messages),
            confirm_timeout_s=birth.settings.outbox.confirm_timeout_s,
            on_delivered=self._delivered,
            on_failed=self._failed,
            tally=self._tally,
        )

    def open(self, results: Results) -> None:
        """Connect to Kafka and find the topics; while it is away, keep trying. Raises SinkError."""
        self._results = results
        self._producers.open(REACH_S)

    def takes(self, message: Outgoing) -> bool:
        """Tell whether messages of this kind are sent."""
        return self._recorder.topic(message) is not None

    def may_deliver_at_once(self, _messages: Sequence[Outgoing]) -> bool:
        """Return False: nothing is delivered before Kafka has confirmed it."""
        return False

    def deliver_at_once(self, _messages: Sequence[Outgoing]) -> bool:
        """Return False: nothing is delivered before Kafka has confirmed it."""
        return False

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        """Send a message; return False while Kafka is not reached or librdkafka has no room."""
        handed = ticket.handed
        record = self._recorder.record(message, handed.outbox.generation, is_repeated=handed.is_repeated)
        if record is None:  # dropped by the present options; not so when it was read
            self._results.delivered(ticket)
            return True
        return self._producers.send(record, _Sent(ticket))

    def last_written(self) -> Sequence[bytes]:
        """Return nothing: the outbox says what Kafka may have."""
        return ()

    def serve(self) -> None:
        """Report what Kafka confirmed and what it did not."""
        self._producers.serve()

    def confirms_none(self, since: float) -> None:
        """Check whether Kafka answers; if it does, switch to another producer."""
        self._producers.confirms_none(since)

    @property
    def trouble(self) -> str:
        """Why Kafka does not take what it is sent; empty: nothing is known (any thread)."""
        return self._producers.trouble or self._came_back

    def sync(self) -> None:
        """Flush the dead letters to disk; confirmed messages are Kafka's responsibility."""
        self._dead_letters.sync()

    def stop_waiting(self) -> None:
        """End the wait of `open` now; Kafka may still be reached later."""
        self._producers.stop_waiting()

    def close(self) -> None:
        """Disconnect from Kafka and close the file."""
        self._producers.close()
        self._dead_letters.close()
        for reason, count in self._tally.rest().items():
            log.info("Kafka errors not logged before", extra=fields(error=reason, count=count))

    # ---- called by the producer

    def _delivered(self, sent: _Sent) -> None:
        self._came_back = ""
        if sent.refused is None:
            self._results.delivered(sent.ticket)
        else:
            self._results.is_dead(sent.ticket)

    def _failed(self, sent: _Sent, failure: Undelivered) -> None:
        """Send the message again, or make it a dead letter if it would fail again."""
        error = failure.error
        if not lasts(error):
            self._say_again(error)
            self._results.came_back(sent.ticket)
        elif is_missing_topic(error) and sent.refused is None:
            self._say_missing(failure)
            self._results.came_back(sent.ticket)
            self._producers.look()
        elif sent.refused is None and self._fits_smaller_batches(failure):
            self._say_again(error)
            self._results.came_back(sent.ticket)
        elif sent.refused is None and self._has_gone_shorter(sent, failure):
            self._say_truncated(failure)
        elif sent.refused is None and self._dead_letter_topic is not None:
            self._say_refused(failure, self._dead_letter_topic)
            refused = _Refused(failure.record, text_of(error))
            self._send_dead(sent.ticket, refused, error, self._dead_letter_topic)
        else:
            self._say_refused(failure, self._dead_letters.path)
            self._put_aside(sent.ticket, sent.refused or _Refused(failure.record, text_of(error)))

    def _fits_smaller_batches(self, failure: Undelivered) -> bool:
        """Tell whether a smaller batch may take the message: the topic's limit may have been lowered."""
        found = self._producers.found
        is_batch = is_too_large(failure.error) and not failure.is_local and self._fits(failure.record)
        if found is None or not is_batch:
            return False
        now = time.monotonic()
        if self._limits_doubted_at is None or now - max(found.at, self._limits_doubted_at) > _LIMITS_KNOWN_S:
            self._limits_doubted_at = now
            self._producers.look()
        if found.at < self._limits_doubted_at:
            return True  # decided once the present limit is known
        return batch_bytes(found.config) < failure.batch_bytes

    def _fits(self, record: Record) -> bool:
        """Tell whether the topics take a batch of this message alone."""
        most_bytes = self._most_bytes
        return most_bytes is not None and record.size_bytes + _FRAME_BYTES <= most_bytes

    def _has_gone_shorter(self, sent: _Sent, failure: Undelivered) -> bool:
        """Resend a tweet that is too large with its rules cut to their ids; return False if that fails."""
        if not is_too_large(failure.error):
            return False
        record = failure.record
        if not failure.is_local and self._fits(record):
            return False  # the batch was too large, not the message
        body = truncated_body(record.value)
        return body is not None and self._producers.send_instead(
            msgspec.structs.replace(record, value=body), sent
        )

    @property
    def _dead_letter_topic(self) -> str | None:
        found = self._producers.found
        return found.dead_letter_topic if found is not None else None

    @property
    def _most_bytes(self) -> int | None:
        found = self._producers.found
        return found.most_bytes if found is not None else None

    def _say_again(self, error: KafkaError) -> None:
        self._came_back = text = text_of(error)
        if count := self._tally.add(text):
            log.warning("messages are sent to Kafka again", extra=fields(error=text, count=count))

    def _say_truncated(self, failure: Undelivered) -> None:
        topic, size_bytes = failure.record.topic, failure.record.size_bytes
        if count := self._tally.add(f"truncated {topic}"):
            about = fields(topic=topic, bytes=size_bytes, count=count)
            log.warning("rules of a tweet are cut to their ids", extra=about)

    def _say_missing(self, failure: Undelivered) -> None:
        topic, error = failure.record.topic, failure.error
        self._came_back = f"{topic}: {text_of(error)}"
        if count := self._tally.add(f"missing {topic}"):
            todo = missing_advice(self._topic_option)
            about = fields(topic=topic, error=text_of(error), count=count, advice=todo)
            log.error("the topic is gone, messages wait for it", extra=about)

    def _say_refused(self, failure: Undelivered, dead_letters: str | Path) -> None:
        text = text_of(failure.error)
        helps = self._advice(failure)
        if count := self._tally.add(f"{failure.record.topic}: {text}: {failure.is_local}"):
            about = fields(error=text, count=count, advice=helps, dead_letters=dead_letters)
            log.error("Kafka rejects messages", extra=about)

    def _advice(self, failure: Undelivered) -> str:
        if not is_too_large(failure.error):
            return advice(failure.error)
        return size_advice(failure.record.size_bytes, self._most_bytes, is_local=failure.is_local)

    def _send_dead(self, ticket: Ticket, refused: _Refused, error: KafkaError, topic: str) -> None:
        letter = dead_letter(refused.record, topic, error.name(), refused.reason)
        if not self._producers.send_instead(letter, _Sent(ticket, refused)):
            self._put_aside(ticket, refused)

    def _put_aside(self, ticket: Ticket, refused: _Refused) -> None:
        if self._dead_letters.write(refused.record, refused.reason):
            self._results.is_dead(ticket)
        else:
            self._results.came_back(ticket)
