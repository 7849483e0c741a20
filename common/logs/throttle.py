"""Report frequent events once a minute, with their number."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

SAY_INTERVAL_S = 60.0


class Tally:
    """Count events by kind, and tell how many to report."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._unsaid: Counter[str] = Counter()
        self._said_at: dict[str, float] = {}

    def add(self, kind: str) -> int:
        """Count one more and return how many to report now: 1 for the first, 0 while it is too early."""
        self._unsaid[kind] += 1
        now = self._clock()
        if now - self._said_at.get(kind, float("-inf")) < SAY_INTERVAL_S:
            return 0
        self._said_at[kind] = now
        return self._unsaid.pop(kind)

    def rest(self) -> dict[str, int]:
        """Return the counts not yet reported, by kind, and regard them as reported."""
        rest, self._unsaid = dict(self._unsaid), Counter()
        return rest


class Ration:
    """Let the first few events of each SAY_INTERVAL_S be said, each by itself."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._since = float("-inf")
        self._taken = 0

    def take(self) -> bool:
        """Count an event; return whether it may be said."""
        now = self._clock()
        if now - self._since > SAY_INTERVAL_S:
            self._since, self._taken = now, 0
        self._taken += 1
        return self._taken <= self._most


class Losses:
    """Keep a count that is reported in portions, at most one per SAY_INTERVAL_S."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.total = 0
        self._clock = clock
        self._told = 0
        self._next_at = float("-inf")

    def add(self) -> None:
        """Count one more loss."""
        self.total += 1

    def due(self) -> int:
        """Return how many to report now; 0 when there are none or it is too early."""
        return self.total - self._told if self._clock() >= self._next_at else 0

    def told(self, count: int) -> None:
        """Record that `count` losses were reported."""
        self._told += count
        self._next_at = self._clock() + SAY_INTERVAL_S


def loss_record(count: int, where: str, error: Exception | None = None) -> logging.LogRecord:
    """Return a record that reports `count` lost records, and why the last one was."""
    record = logging.LogRecord("traptor.logs", logging.WARNING, "", 0, "log lines lost", (), None)
    why = {} if error is None else {"error": getattr(error, "strerror", None) or str(error)}
    record.fields = {"count": count, "log": where, **why}
    return record
