"""Which connections get a key first when keys are short."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """One connection that is to have a key."""

    connection: str
    rules: int
    streaming_since: float | None = None  # monotonic seconds; None: it does not stream


Rank = tuple[bool, float, int, str]


def order_demands(demands: Iterable[Demand]) -> tuple[Demand, ...]:
    """Those that stream, by start time: none is ever preempted. Then more rules first; then by name."""
    return tuple(sorted(demands, key=rank))


def rank(demand: Demand) -> Rank:
    """What orders demands: the least comes first."""
    if demand.streaming_since is not None:
        return (False, demand.streaming_since, 0, demand.connection)
    return (True, 0.0, -demand.rules, demand.connection)
