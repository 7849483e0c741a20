"""How long to wait before the next try: steps, jitter, and the restarts of a crashing connection."""

from __future__ import annotations

import random
from dataclasses import dataclass

JITTER = 0.25
_MOST_DOUBLINGS = 64  # 2.0 ** 1024 overflows, and a crash loop may go on for years


def doubled(first: float, times: int, longest: float) -> float:
    """`first` doubled `times` times, at most `longest`."""
    return min(first * 2.0 ** min(times, _MOST_DOUBLINGS), longest)


def extra(step: float, rng: random.Random) -> float:
    """The jitter to add to a wait whose step is `step`: up to 25 % of it.

    It only ever adds: the steps are the shortest waits that Twitter tolerates, and what failed together
    need not come back together.
    """
    return step * JITTER * rng.random()


@dataclass(frozen=True, slots=True)
class RestartLimits:
    """The options of `[supervisor]` that rule restarts, in seconds, by their names."""

    restart_backoff: float = 1.0
    restart_backoff_max: float = 60.0
    restart_reset_after: float = 60.0


class CrashBackoff:
    """When one connection may have its next worker after a crash; it never gives up.

    The first crash, and the first after a stable run, costs no wait; then `restart_backoff`,
    doubled at each crash up to `restart_backoff_max`.
    """

    def __init__(self, limits: RestartLimits, rng: random.Random) -> None:
        self.limits = limits  # may be replaced; counts from the next crash
        self._rng = rng
        self._crashes = 0
        self._not_before: float | None = None

    @property
    def crashes(self) -> int:
        """Crashes in a row, without a stable run between them."""
        return self._crashes

    def crashed(self, now: float, ran_for_s: float) -> float:
        """Count a crash after `ran_for_s` seconds of life; when the next start is due."""
        if ran_for_s >= self.limits.restart_reset_after:
            self._crashes = 0
        self._not_before = now + self._wait_s()
        self._crashes += 1
        return self._not_before

    def reset(self) -> None:
        """Forget the crashes: what is started next has nothing to do with them."""
        self._crashes, self._not_before = 0, None

    def not_before(self, now: float) -> float | None:
        """When the next start is due, or None when nothing has to be waited for."""
        if self._not_before is None or self._not_before <= now:
            return None
        return self._not_before

    def _wait_s(self) -> float:
        if self._crashes == 0:
            return 0.0
        step = doubled(self.limits.restart_backoff, self._crashes - 1, self.limits.restart_backoff_max)
        return step + extra(step, self._rng)
