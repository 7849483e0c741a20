"""Count how long messages took from the stream until the output confirmed them."""

from __future__ import annotations

from traptor.common.timing.latencies import step_of

_AT_ONCE = step_of(0.0)


class Latency:
    """Totals of one generation, by steps; used by one thread at a time, and read by any.

    Messages of earlier generations are not counted: when they were received is not known here.
    """

    def __init__(self) -> None:
        self.at_once = 0  # messages that were written as they came
        self._by_step: dict[str, int] = {}
        self._total_s = 0.0

    def add(self, seconds: float, messages: int) -> None:
        """Count messages that took so long."""
        step = step_of(seconds)
        self._by_step[step] = self._by_step.get(step, 0) + messages
        self._total_s += max(0.0, seconds) * messages

    def by_step(self) -> dict[str, int]:
        """Return the messages by steps."""
        counts = self._by_step.copy()
        if self.at_once:
            counts[_AT_ONCE] = counts.get(_AT_ONCE, 0) + self.at_once
        return counts

    @property
    def total_ms(self) -> int:
        """All times together, in milliseconds."""
        return int(1000 * self._total_s)
