"""Order connections that need a key, a start or a connect. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from traptor.supervisor.connections.connection import Connection


@dataclass(frozen=True, slots=True)
class KeyDemand:
    """One connection that needs a key."""

    connection: str
    rules: int
    streaming_since: float | None = None  # monotonic seconds; None: it does not stream

    @classmethod
    def of(cls, c: Connection) -> KeyDemand:
        """Return the demand of a connection as it is now."""
        return cls(c.name, len(c.wanted.rules) if c.wanted else 0, c.streaming_since)


Rank = tuple[bool, float, int, str]


def order_demands(demands: Iterable[KeyDemand]) -> tuple[KeyDemand, ...]:
    """Sort streaming ones by start time (none is ever preempted), the rest by most rules and by name."""
    return tuple(sorted(demands, key=rank))


def rank(demand: KeyDemand) -> Rank:
    """Return the sort key of demands: the lowest comes first."""
    if demand.streaming_since is not None:
        return (False, demand.streaming_since, 0, demand.connection)
    return (True, 0.0, -demand.rules, demand.connection)
