"""Keep what was shown last: a status for whoever asks next, and its parts until something changes them.

To make one anew costs the master some milliseconds, which was most of what it did while nothing happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from traptor.common.files.outboxes import Left
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.keys.conduct.states import KeyStatus
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.status.connections import grown, of_connection, reported
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.workers.generation import Generation

Json = dict[str, Any]

_FRESH_S = 1.0


class Latest:
    """Makes statuses with `make`; nobody may change one that he got."""

    def __init__(self, make: Callable[[], Json], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._made: tuple[float, Json] | None = None

    def new(self) -> Json:
        """Return the status as of now."""
        status = self._make()
        self._made = (self._clock(), status)
        return status

    def recent(self) -> Json:
        """Return one of the last second."""
        if self._made is not None and self._clock() - self._made[0] < _FRESH_S:
            return self._made[1]
        return self.new()

    def outdated(self) -> None:
        """Have the next one made anew: something was ordered."""
        self._made = None


class Shown:
    """Shows connections and keys again as they were, until `forget` tells that something happened.

    They change by events and steps alone. What is told without one (by a worker's report, by the kernel's
    figures, by rates) is compared; and time goes on.
    """

    def __init__(self) -> None:
        self._connections: dict[str, tuple[object, Json]] = {}
        self._keys: tuple[int, tuple[KeyStatus, ...]] | None = None  # after so many changes

    def forget(self, names: Iterable[str] | None = None) -> None:
        """Have these connections, or all, and the keys made anew; call this with each event and each step."""
        self._keys = None
        if names is None:
            self._connections.clear()
            return
        for name in names:
            self._connections.pop(name, None)

    def connection(self, c: Connection, left: Left, rates: Rates, now: float) -> Json:
        """Return one connection as it is now; `left` is what dead generations left in its outboxes."""
        inputs = (left, rates.per_second(c.name), *map(_told_by, c.generations))
        before, made = self._connections.get(c.name, (None, {}))
        if before is None:
            made = of_connection(c, left, rates, now)
        elif inputs == before:
            return {**made, **grown(c, now)}
        else:
            made = {**made, **reported(c, left, rates, now), **grown(c, now)}
        self._connections[c.name] = inputs, made
        return made

    def keys(self, pool: KeyPool, now: float) -> tuple[KeyStatus, ...]:
        """Return all keys; a budget may have grown a few seconds ago, by time alone."""
        if self._keys is None or self._keys[0] != pool.changes:
            self._keys = pool.changes, pool.statuses(now)
        return self._keys[1]


def _told_by(g: Generation) -> tuple[object, ...]:
    """Return what is shown of a generation and changes without an event."""
    report = g.last_report
    if report is None:
        return g, g.vitals
    return (
        g,
        g.vitals,
        report.activity,
        report.last_byte_at,
        report.backlog,
        report.outbox_bytes,
        report.unconfirmed_since,
        report.oldest_at,
        report.counters,
    )
