"""What the chaos knows of a topic that it deletes: all that Kafka confirmed, up to the last moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chaos_parts.evidence import kept_tweets
from confluent_kafka import Producer
from kafka_parts.remains import kept_messages
from support.kafka import KafkaProcess, all_messages, header
from support.waiting import DEADLINE_S, wait_for

from traptor.common.errors import TraptorError

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


class Sender:
    """Sends numbers as fast as it can, and notes which ones were confirmed."""

    def __init__(self, kafka: KafkaProcess, topic: str, **options: object) -> None:
        self.confirmed: list[bytes] = []
        self._topic = topic
        self._ended = threading.Event()
        usual = {"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True, "log_level": 0}
        self._producer = Producer({**usual, **options})

    @contextmanager
    def sending(self) -> Iterator[None]:
        thread = threading.Thread(target=self._send)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(DEADLINE_S)
            self._producer.purge()
            self._producer.flush(DEADLINE_S)

    def _send(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            headers = [("traptor-connection", b"track:0"), ("traptor-redelivered", None)]
            try:
                self._producer.produce(
                    self._topic, b"a tweet", b"%d" % number, headers=headers, on_delivery=self._note
                )
            except BufferError:
                pass
            self._producer.poll(0.001)

    def _note(self, error: object, message: object) -> None:
        if error is None:
            self.confirmed.append(message.key())  # type: ignore[attr-defined]  # a Message


def test_all_that_was_confirmed_before_a_topic_was_deleted_is_kept(kafka: KafkaProcess, topic: str) -> None:
    """It is deleted in the midst of it, a moment after its files were linked."""
    sender = Sender(kafka, topic)
    with sender.sending():
        wait_for(lambda: len(sender.confirmed) > 500, "messages are confirmed")
        kept = kafka.keep_topic(topic)
        before = len(sender.confirmed)
        wait_for(lambda: len(sender.confirmed) > before, "more are confirmed")
        kafka.delete_topic(topic)
    found = list(kept_messages(kept))
    keys = [message.key for message in found]
    assert set(sender.confirmed) <= set(keys)
    assert len(keys) == len(set(keys))
    assert found[0].headers == {"traptor-connection": b"track:0", "traptor-redelivered": None}
    tweets = kept_tweets(kept)
    assert tweets.counts == {("track:0", key.decode()): 1 for key in keys if key}
    assert tweets.redelivered == 0


def test_what_is_kept_is_what_a_reader_of_the_topic_gets(kafka: KafkaProcess, topic: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    producer.produce(topic, b"", None)
    producer.produce(topic, b"x" * 100_000, b"k" * 300, headers=[("traptor-redelivered", b"true")])
    assert producer.flush(DEADLINE_S) == 0
    read = {(message.key(), header(message, "traptor-redelivered")) for message in all_messages(kafka, topic)}
    kept = kept_messages(kafka.keep_topic(topic))
    assert {(one.key, _text(one.headers.get("traptor-redelivered"))) for one in kept} == read
    assert len(read) == 2


def _text(value: bytes | None) -> str | None:
    return value.decode() if value is not None else None


def test_a_torn_end_is_left_out_and_compressed_messages_are_refused(kafka: KafkaProcess, topic: str) -> None:
    name = f"{topic}-alone"
    kafka.create_topic(name, partitions=1)
    for codec in ("none", "gzip"):
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "compression.type": codec})
        producer.produce(name, b"word " * 1000, codec.encode())
        assert producer.flush(DEADLINE_S) == 0
    kept = kafka.keep_topic(name)
    with pytest.raises(TraptorError, match="compressed"):
        list(kept_messages(kept))
    (linked,) = kept.iterdir()
    alone = Path(kept, "torn.log")
    alone.write_bytes(linked.read_bytes()[:-1])
    linked.unlink()
    assert [one.key for one in kept_messages(kept)] == [b"none"]
