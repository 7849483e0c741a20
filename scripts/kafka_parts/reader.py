"""Read a topic from its beginning, whatever is added meanwhile."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition


class TopicReader:
    """Reads all messages of an existing topic, in portions; a context manager."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "traptor-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        partitions = self._consumer.list_topics(topic, timeout=30).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self._ends = dict.fromkeys(partitions, 0)
        self._topic = topic

    def __enter__(self) -> TopicReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect from the brokers."""
        self._consumer.close()

    def read(self, wait_s: float = 0.0) -> list[Message]:
        """Return what came since the last call, or comes within `wait_s`; large amounts in several calls."""
        messages = self._consumer.consume(5000, wait_s)
        for message in messages:
            if error := message.error():
                raise KafkaException(error)
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            self._ends[partition] = offset + 1
        return messages

    def is_at_end(self) -> bool:
        """Tell whether everything now in the topic was read; also False while its end is unknown.

        A broker that was just started has no leader for a moment.
        """
        try:
            ends = self.ends()
        except KafkaException:
            return False
        return all(end <= self._ends[number] for number, end in ends.items())

    def ends(self) -> dict[int, int]:
        """Return, by partition, the offset of the next message. Raises KafkaException."""
        return {
            number: self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=30)[1]
            for number in self._ends
        }


def header(message: Message, name: str) -> str | None:
    """Return a header of a message as text."""
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    found = dict(pairs).get(name)
    return found.decode() if isinstance(found, bytes) else found
