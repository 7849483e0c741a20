"""Tell whether everything that was sent has reached the topic."""

from __future__ import annotations

from confluent_kafka import KafkaException
from kafka_parts.broker import KafkaProcess
from kafka_parts.reader import TopicReader
from trial.still import Still
from trial.view import StatusReader

_STILL_S = 3.0  # without any movement for this long, everything is read


class Quiet:
    """True once no worker has pending messages, and neither counters nor the topic's ends move any more."""

    def __init__(self, status: StatusReader, kafka: KafkaProcess, topic: str) -> None:
        self._status = status
        self._kafka = kafka
        self._topic = topic
        self._still = Still(self._moving, _STILL_S)

    def __call__(self) -> bool:
        is_still = self._still()
        return is_still and not any(c.backlog or c.others for c in self._status.view.connections)

    def _moving(self) -> object:
        counters = [(c.name, c.received, c.delivered) for c in self._status.look().connections]
        return counters, self._ends() or object()  # unknown ends count as moving

    def _ends(self) -> dict[int, int] | None:
        """Return the ends of the topic; None while a killed broker still recovers its data."""
        try:
            with TopicReader(self._kafka.bootstrap_servers, self._topic) as reader:
                return reader.ends()
        except KafkaException:
            return None
