"""Things that happen often, said once a minute with their number."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

SAY_INTERVAL_S = 60.0


class Tally:
    """Counts by kind, and tells how many are to be said."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._unsaid: Counter[str] = Counter()
        self._said_at: dict[str, float] = {}

    def add(self, kind: str) -> int:
        """Count one more; how many to say now, the first at once, or 0."""
        self._unsaid[kind] += 1
        now = self._clock()
        if now - self._said_at.get(kind, float("-inf")) < SAY_INTERVAL_S:
            return 0
        self._said_at[kind] = now
        return self._unsaid.pop(kind)

    def rest(self) -> dict[str, int]:
        """What was counted and is not said, by kind; it counts as said now."""
        rest, self._unsaid = dict(self._unsaid), Counter()
        return rest
