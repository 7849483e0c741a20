"""Decides when another producer has to go on with what the one before does not deliver: pure.

librdkafka keeps what it once learnt of a topic. After a cluster was rebuilt, or a topic deleted and made
anew, leader epochs begin at 0 again; it takes those for outdated, asks for metadata once a second, and never
sends again (librdkafka #4898). It also keeps its producer id, which the new cluster may give to somebody
else: messages of one could then be taken for repeated ones of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from traptor.common.backoff import doubled

_LONGEST_WAIT_S = 3600.0
_FATAL_WAIT_S = 1.0
_LONGEST_FATAL_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as a cluster describes it; `leaderless` are the numbers of partitions without a leader."""

    id: str  # "": not known
    partitions: int
    leaderless: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """What tells one cluster, with its topics, from another at the same address."""

    id: str | None  # None: it does not tell
    topics: Mapping[str, TopicState]


def changes(before: Cluster, now: Cluster) -> list[str]:
    """What a producer of `before` must not go on with in `now`, for people."""
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
    """Waits until Kafka has answered for long enough that a working producer would have confirmed messages.

    After each new producer that did not help, the wait for the next one is doubled.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._away_at = float("-inf")
        self._begun_at = float("-inf")
        self._begun_for: float | None = None
        self._begun = 0

    def was_away(self, now: float) -> None:
        """Kafka did not answer just now."""
        self._away_at = now

    def begun(self, unconfirmed_since: float, now: float) -> None:
        """Another producer was begun, for messages that are unconfirmed since then."""
        self._begun = self._begun + 1 if unconfirmed_since == self._begun_for else 1
        self._begun_for, self._begun_at = unconfirmed_since, now

    def is_due(self, unconfirmed_since: float, now: float) -> bool:
        """Whether Kafka, which answers now, needs another producer."""
        tries = self._begun if unconfirmed_since == self._begun_for else 0
        wait_s = doubled(self._timeout_s, tries, _LONGEST_WAIT_S)
        begun_at = self._begun_at if tries else float("-inf")
        return now - max(unconfirmed_since, self._away_at, begun_at) >= wait_s


class FatalPace:
    """Spaces the producers that break by a fatal error one after the other, until one confirms a message."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._at = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether a broken producer may be replaced now; the first one may at once."""
        if not self._in_a_row:
            return True
        return now - self._at >= doubled(_FATAL_WAIT_S, self._in_a_row - 1, _LONGEST_FATAL_WAIT_S)

    def replaced(self, now: float) -> None:
        """A broken producer was replaced."""
        self._in_a_row += 1
        self._at = now

    def confirmed(self) -> None:
        """The producer works: a message was confirmed."""
        self._in_a_row = 0
