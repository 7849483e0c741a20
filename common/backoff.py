"""Compute the wait before the next attempt: steps, jitter, and restarts of crashing connections."""

from __future__ import annotations

import random
from dataclasses import dataclass

JITTER = 0.25
_MOST_DOUBLINGS = 64  # 2.0 ** 1024 overflows, and a crash loop may last for years


def doubled(first: float, times: int, longest: float) -> float:
    """Return `first` doubled `times` times, capped at `longest`."""
    return min(first * 2.0 ** min(times, _MOST_DOUBLINGS), longest)


def extra(step: float, rng: random.Random) -> float:
    """Return the jitter to add to a wait of `step`: up to 25 % of it.

    Jitter is only ever added: the steps are the shortest waits that Twitter tolerates, and connections that
    failed together should not all return at once.
    """
    return step * JITTER * rng.random()


@dataclass(frozen=True, slots=True)
class RestartLimits:
    """The `[supervisor]` options that control restarts, in seconds, by name."""

    restart_backoff: float = 1.0
    restart_backoff_max: float = 60.0
    restart_reset_after: float = 60.0


class CrashBackoff:
    """Decide when a crashing connection may have its next worker; it never gives up.

    The first crash, and the first one after a stable run, costs no wait; after that the wait is
    `restart_backoff`, doubled at each crash up to `restart_backoff_max`.
    """

    def __init__(self, limits: RestartLimits, rng: random.Random) -> None:
        self.limits = limits  # may be replaced; takes effect at the next crash
        self._rng = rng
        self._crashes = 0
        self._not_before: float | None = None

    @property
    def crashes(self) -> int:
        """Consecutive crashes without a stable run between them."""
        return self._crashes

    def crashed(self, now: float, ran_for_s: float) -> float:
        """Count a crash after `ran_for_s` seconds of life and return when the next start is due."""
        if ran_for_s >= self.limits.restart_reset_after:
            self._crashes = 0
        self._not_before = now + self._wait_s()
        self._crashes += 1
        return self._not_before

    def reset(self) -> None:
        """Forget all crashes: the next worker starts for an unrelated reason."""
        self._crashes, self._not_before = 0, None

    def not_before(self, now: float) -> float | None:
        """Return when the next start is due, or None when it need not wait."""
        if self._not_before is None or self._not_before <= now:
            return None
        return self._not_before

    def _wait_s(self) -> float:
        if self._crashes == 0:
            return 0.0
        step = doubled(self.limits.restart_backoff, self._crashes - 1, self.limits.restart_backoff_max)
        return step + extra(step, self._rng)
