"""A clock that stands still while the master itself does not run (stopped, swapped out, suspended)."""

from __future__ import annotations

TICK_S = 0.5
# A tick that comes later than this after the last one shows that the master did not run in between. With a
# worker's report interval it must stay below the least hang_timeout: after a stop the first tick may come
# before the first report is read.
_MAX_TICK_S = 1.5 * TICK_S


class RunClock:
    """Counts the seconds in which the master ran; `tick` must be called every TICK_S."""

    def __init__(self, now: float) -> None:
        self._last = now
        self._run_s = 0.0

    def tick(self, now: float) -> None:
        """Count the time since the last tick, unless the master did not run."""
        self._run_s += min(now - self._last, _MAX_TICK_S)
        self._last = now

    def read(self, now: float) -> float:
        """Return the seconds that the master has run."""
        return self._run_s + min(now - self._last, _MAX_TICK_S)
