"""Whether everything that was sent has come to the topic."""

from __future__ import annotations

from confluent_kafka import KafkaException
from kafka_parts.broker import KafkaProcess
from kafka_parts.reader import TopicReader
from trial.still import Still
from trial.view import StatusReader

_STILL_S = 3.0  # nothing moves for so long: all is read


class Quiet:
    """True once no worker has anything in hand, and neither counters nor the topic's ends move any more."""

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
        return counters, self._ends() or object()  # where they cannot be known they count as moving

    def _ends(self) -> dict[int, int] | None:
        """Where the topic ends; None while a broker that was killed still looks for its data."""
        try:
            with TopicReader(self._kafka.bootstrap_servers, self._topic) as reader:
                return reader.ends()
        except KafkaException:
            return None
