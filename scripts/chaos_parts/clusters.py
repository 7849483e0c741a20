"""What happens to Kafka: its clusters and topics follow each other, and what the old ones held is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kafka_parts.broker import KafkaProcess

from chaos_parts.schedule import Disturbance

Undo = Callable[[], object]

_ANSWER_S = 0.3
_PATIENCE_S = 10.0  # with a broker that was started and may still be busy
_FIRST_PARTITIONS = 3
_MOST_PARTITIONS = 5


class Clusters:
    """Kills, rebuilds, and deletes; `former` are replaced clusters, `deleted` folders of deleted topics.

    `topics` are created in each cluster that replaces another. The first of them is the one that is deleted.
    """

    def __init__(self, kafka: KafkaProcess, topics: Sequence[str]) -> None:
        self.former: list[KafkaProcess] = []
        self.deleted: list[Path] = []
        self._kafka = kafka
        self._topics = topics
        self._partitions = _FIRST_PARTITIONS
        self._has_topics = True

    def kill(self, _: Disturbance) -> Undo:
        """Kill the broker; it comes back with its data."""
        self._kafka.kill()
        return self._kafka.launch

    def start_anew(self) -> None:
        """Kill the broker, if it has not ended by itself, and start it."""
        self._kafka.kill()
        self._kafka.launch()

    def rebuild(self, disturbance: Disturbance) -> Undo:
        """Replace the cluster; the new topics have at least one partition, whatever the old ones had."""
        self.former.append(self._kafka.rebuild())
        self._has_topics = False
        self._partitions = 1 + int(disturbance.lot * _MOST_PARTITIONS)

        def start() -> Undo:
            self._kafka.launch()
            return self._make_topics

        return start

    def remake_topic(self, disturbance: Disturbance) -> Undo:
        """Delete the topic while workers deliver to it; the next one has another number of partitions.

        Raises ProcessLookupError while there is no topic.
        """
        if not self._has_topics or not self._kafka.answers(_PATIENCE_S):
            raise ProcessLookupError
        topic = self._topics[0]
        self.deleted.append(self._kafka.keep_topic(topic))
        self._kafka.delete_topic(topic)
        self._has_topics = False
        others = [count for count in range(1, _MOST_PARTITIONS + 1) if count != self._partitions]
        self._partitions = others[int(disturbance.lot * len(others))]
        return self._make_topics

    def _make_topics(self) -> Undo | None:
        """Create what is missing; return what to try again while the broker does not answer."""
        if not self._kafka.answers(_ANSWER_S):
            return self._make_topics
        self._kafka.ensure_topics(self._topics, self._partitions)
        self._has_topics = True
        return None
