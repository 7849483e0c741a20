"""Count the connects that a key may make in a sliding window."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from traptor.supervisor.keys.conduct.limits import PoolLimits

RECOVERY_RESERVE = 2


class Purpose(StrEnum):
    """The purposes of a connect."""

    FRESH = "fresh"  # the connection has no stream: a start, or a recovery
    REFRESH = "refresh"  # the connection streams, and a new generation is to take over
    FILL = "fill"  # the connection streams, and a second stream is to bring posts of the past


@dataclass(frozen=True, slots=True)
class Budget:
    """The times at which one key connected, in ascending order (monotonic seconds).

    A connect counts for `connects_window` seconds from its permission, and as long as it may take to reach
    the server, which counts it only then; it is free again exactly at the end.
    """

    connects: tuple[float, ...] = ()

    def used(self, limits: PoolLimits, now: float) -> int:
        """Return how many connects count now."""
        return len(self._counting(limits, now))

    def left(self, limits: PoolLimits, now: float) -> int:
        """Return how many connects are left now."""
        return max(0, limits.connects - self.used(limits, now))

    def free_at(self, purpose: Purpose, limits: PoolLimits, now: float) -> float:
        """Return the earliest time, not before `now`, at which a connect for `purpose` fits."""
        counting = self._counting(limits, now)
        too_many = len(counting) + reserve(purpose, limits) + 1 - limits.connects
        return now if too_many <= 0 else counting[too_many - 1] + limits.counts_for_s

    def spend(self, limits: PoolLimits, now: float) -> Budget:
        """Return the budget after a connect at `now`."""
        return Budget(tuple(sorted((*self._counting(limits, now), now))))

    def refund(self) -> Budget:
        """Return the budget without the latest connect, which never reached the server."""
        return Budget(self.connects[:-1])

    def _counting(self, limits: PoolLimits, now: float) -> tuple[float, ...]:
        return tuple(at for at in self.connects if at + limits.counts_for_s > now)


def reserve(purpose: Purpose, limits: PoolLimits) -> int:
    """Return how many connects `purpose` must leave unused.

    A refresh leaves two for recovery. When the operator allows fewer than three connects, it leaves all but
    one: otherwise refreshes would have none, and no rule change would ever be served. A fill leaves half of
    them, and no fewer than a refresh.
    """
    if purpose is Purpose.FRESH:
        return 0
    least = min(RECOVERY_RESERVE, limits.connects - 1)
    return max(least, limits.connects // 2) if purpose is Purpose.FILL else least
