"""Decide when a connection may have its next worker after a crash."""

from __future__ import annotations

import random
from dataclasses import dataclass

from traptor.common.timing.backoff import doubled, extra


@dataclass(frozen=True, slots=True)
class RestartLimits:
    """The `[supervisor]` options that control restarts, in seconds, by name."""

    restart_backoff: float
    restart_backoff_max: float
    restart_reset_after: float


class CrashBackoff:
    """Decides when a crashing connection may have its next worker; it never gives up.

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
