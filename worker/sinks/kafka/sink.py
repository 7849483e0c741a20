"""The sink that sends messages to Kafka."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaError

from traptor.common.birth import Birth, KafkaSettings
from traptor.common.errors import SinkError
from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.message import Outgoing
from traptor.worker.delivery.tickets import Outcomes, Ticket
from traptor.worker.sinks.kafka.config import client_config, fitted
from traptor.worker.sinks.kafka.deadletters import DeadLetters
from traptor.worker.sinks.kafka.errors import advice, is_final, text_of
from traptor.worker.sinks.kafka.producer import KafkaProducer
from traptor.worker.sinks.kafka.record import Record, Recorder, dead_letter, topics_of
from traptor.worker.sinks.kafka.topics import KafkaAway, Topics, WaitEnded, need_topics

log = logging.getLogger(__name__)

# So long `open` waits for Kafka. Then the stream begins without it: what comes waits in the outbox.
REACH_S = 5.0
_ASK_AGAIN_S = 1.0


class _Refused(NamedTuple):
    record: Record
    reason: str


class _Sent(NamedTuple):
    ticket: Ticket
    refused: _Refused | None = None  # what is now on its way to the dead-letter topic


class KafkaSink:
    """Sends each message and waits for its confirmation.

    What Kafka takes by no means goes to the dead-letter topic, and where that takes it neither, to a file.
    """

    def __init__(self, birth: Birth, settings: KafkaSettings) -> None:
        self._config = client_config(settings, birth.connection)
        self._settings = settings
        self._topics = topics_of(settings, birth.settings.other_messages)
        self._recorder = Recorder(birth, settings)
        self._dead_letters = DeadLetters(settings.dead_letter_dir / f"{birth.connection}.jsonl")
        self._dead_letter_topic: str | None = None  # None: there is none
        self._producer: KafkaProducer[_Sent] | None = None
        self._stopped = threading.Event()
        self._settled = threading.Event()  # Kafka is reached, or cannot be for a reason that lasts
        self._error: SinkError | None = None
        self._reaching: threading.Thread | None = None
        self._tally = Tally()

    def open(self, outcomes: Outcomes) -> None:
        """Reach Kafka and find the topics; where it is away, go on trying. Raises SinkError."""
        self._outcomes = outcomes
        self._reaching = threading.Thread(target=self._reach, name="kafka", daemon=True)
        self._reaching.start()
        self._settled.wait(REACH_S)
        self._settled.set()
        if self._error is not None:
            raise self._error

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
        if self._producer is not None:
            self._producer.serve()

    def sync(self) -> None:
        """Have the dead letters survive a power cut; what is confirmed is Kafka's business."""
        self._dead_letters.sync()

    def stop_waiting(self) -> None:
        """End the wait of `open` now; Kafka may still be reached later."""
        self._settled.set()

    def close(self) -> None:
        """Let go of Kafka and of the file."""
        self._stopped.set()
        if self._reaching is not None:
            self._reaching.join()
        if self._producer is not None:
            self._producer.close()
            self._producer = None
        self._dead_letters.close()
        for reason, count in self._tally.rest().items():
            log.info("Kafka errors not said before", extra=fields(error=reason, count=count))

    # ---- reaching it, in a thread of its own

    def _reach(self) -> None:
        began, is_said = time.monotonic(), False
        while not self._stopped.is_set():
            try:
                self._try_to_reach()
            except WaitEnded:
                return
            except SinkError as error:
                is_said = True
                self._say_unreached(error)
            except Exception:
                is_said = True  # an error of ours must not leave the messages on disk for good
                if self._tally.add("failed"):
                    log.exception("the way to Kafka failed")
            else:
                if is_said:
                    waited_s = round(time.monotonic() - began, 3)
                    log.warning("Kafka is reached", extra=lifecycle(waited_s=waited_s))
                self._error = None
                self._settled.set()
                return
            self._stopped.wait(_ASK_AGAIN_S)

    def _say_unreached(self, error: SinkError) -> None:
        if isinstance(error, KafkaAway):
            if self._tally.add("away"):
                log.error("waiting for Kafka", extra=fields(error=str(error)))
            return
        # Until then it is raised by `open`.
        if self._settled.is_set() and self._tally.add(str(error)):
            log.error("Kafka cannot be used", extra=fields(error=str(error)))
        self._error = error
        self._settled.set()

    def _try_to_reach(self) -> None:
        topics = Topics(self._config, self._stopped)
        found = need_topics(topics, self._topics, self._settings.create_topic)
        if created := [name for name, partitions in found.items() if not partitions]:
            log.warning("topics created", extra=fields(topics=",".join(created)))
        self._dead_letter_topic = self._found_dead_letter_topic(topics)
        most_bytes = topics.largest_message_bytes(self._topics)
        config = self._config if most_bytes is None else fitted(self._config, most_bytes, self._settings)
        self._producer = KafkaProducer(config, on_delivered=self._delivered, on_failed=self._failed)

    def _found_dead_letter_topic(self, topics: Topics) -> str | None:
        name = self._settings.dead_letter_topic
        try:
            return name if topics.partitions([name])[name] else None
        except (KafkaAway, WaitEnded):
            raise
        except SinkError:  # we may not even ask for it
            return None

    # ---- what the producer calls

    def _delivered(self, sent: _Sent) -> None:
        if sent.refused is None:
            self._outcomes.delivered(sent.ticket)
        else:
            self._outcomes.is_dead(sent.ticket)

    def _failed(self, sent: _Sent, record: Record, error: KafkaError) -> None:
        text = text_of(error)
        if not is_final(error):
            if count := self._tally.add(text):
                log.warning("messages are sent to Kafka again", extra=fields(error=text, count=count))
            self._outcomes.came_back(sent.ticket)
        elif sent.refused is None and self._dead_letter_topic is not None:
            self._say_refused(record, error, self._dead_letter_topic)
            self._send_dead(sent.ticket, _Refused(record, text), error, self._dead_letter_topic)
        else:
            self._say_refused(record, error, self._dead_letters.path)
            self._put_aside(sent.ticket, sent.refused or _Refused(record, text))

    def _say_refused(self, record: Record, error: KafkaError, dead_letters: str | Path) -> None:
        text = text_of(error)
        if count := self._tally.add(f"{record.topic}: {text}"):
            about = fields(error=text, count=count, advice=advice(error), dead_letters=dead_letters)
            log.error("Kafka does not take messages", extra=about)

    def _send_dead(self, ticket: Ticket, refused: _Refused, error: KafkaError, topic: str) -> None:
        letter = dead_letter(refused.record, topic, error.name(), refused.reason)
        if self._producer is None or not self._producer.send(letter, _Sent(ticket, refused)):
            self._put_aside(ticket, refused)

    def _put_aside(self, ticket: Ticket, refused: _Refused) -> None:
        if self._dead_letters.write(refused.record, refused.reason):
            self._outcomes.is_dead(ticket)
        else:
            self._outcomes.came_back(ticket)
