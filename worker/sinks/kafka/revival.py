"""Decide when another producer must replace one that does not deliver. Pure.

librdkafka keeps what it once learnt of a topic. After a cluster was rebuilt, or a topic deleted and created
again, leader epochs restart at 0; librdkafka regards those as outdated, asks for metadata once a second, and
never sends again (librdkafka #4898). It also keeps its producer id, which the new cluster may give to another
client: messages of one could then be taken for repeats of the other's. `KafkaProducers` therefore holds back
new messages until the cluster is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traptor.common.timing.backoff import doubled

_LONGEST_WAIT_S = 3600.0
_FATAL_WAIT_S = 1.0
_LONGEST_FATAL_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as a cluster describes it; `leaderless` are the numbers of partitions without a leader."""

    id: str  # "": unknown
    partitions: int
    leaderless: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """The identity of a cluster and its topics, to tell it from another at the same address."""

    id: str | None  # None: the cluster does not tell
    topics: Mapping[str, TopicState]


def changes(before: Cluster, now: Cluster) -> list[str]:
    """Return the changes that prevent a producer of `before` from going on with `now`, for people."""
    if None not in (before.id, now.id) and before.id != now.id:
        return ["it is another cluster"]
    both = [(name, before.topics[name], now.topics[name]) for name in now.topics if name in before.topics]
    known = [(name, old.id, new.id) for name, old, new in both if old.id and new.id]
    anew = [f"topic {name} was made anew" for name, old, new in known if old != new]
    fewer = [
        f"topic {name} has {new.partitions} of {old.partitions} partitions left"
        for name, old, new in both
        if new.partitions < old.partitions
    ]
    return anew + fewer


class Revival:
    """Waits until Kafka has answered long enough for a working producer to have confirmed messages.

    After each new producer that did not help, the wait for the next one is doubled.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._away_at = float("-inf")
        self._begun_at = float("-inf")
        self._begun_for: float | None = None
        self._begun = 0

    def was_away(self, now: float) -> None:
        """Record that Kafka did not answer just now."""
        self._away_at = now

    def begun(self, unconfirmed_since: float, now: float) -> None:
        """Record that another producer was started, for messages unconfirmed since that time."""
        self._begun = self._begun + 1 if unconfirmed_since == self._begun_for else 1
        self._begun_for, self._begun_at = unconfirmed_since, now

    def is_due(self, unconfirmed_since: float, now: float) -> bool:
        """Tell whether Kafka, which answers now, needs another producer."""
        tries = self._begun if unconfirmed_since == self._begun_for else 0
        wait_s = doubled(self._timeout_s, tries, _LONGEST_WAIT_S)
        begun_at = self._begun_at if tries else float("-inf")
        return now - max(unconfirmed_since, self._away_at, begun_at) >= wait_s


class FatalPace:
    """Spaces the replacements of producers that fail with fatal errors, until one confirms a message."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._at = float("-inf")

    def is_due(self, now: float) -> bool:
        """Tell whether a broken producer may be replaced now; the first one may at once."""
        if not self._in_a_row:
            return True
        return now - self._at >= doubled(_FATAL_WAIT_S, self._in_a_row - 1, _LONGEST_FATAL_WAIT_S)

    def replaced(self, now: float) -> None:
        """Record that a broken producer was replaced."""
        self._in_a_row += 1
        self._at = now

    def confirmed(self) -> None:
        """Record that the producer works: a message was confirmed."""
        self._in_a_row = 0
