"""Compute how long a key rests after failures, by Twitter's rules for reconnecting.

Twitter, "Connecting to a streaming endpoint": network errors 250 ms more each time up to 16 s; HTTP errors
from 5 s doubled up to 320 s, and so for a clean close soon after a 200; 420 and 429 from 60 s doubled. The
first break soon after a 200 is a network error, further ones are closes: at the pace of network errors they
would spend the connects of 15 minutes in two. A stream that lasted and then ended is no failure: the
reconnect after it is due at once, and the steps start over with the next failure.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from traptor.common.timing.backoff import doubled, extra
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits

_SLOT = FailureKind.SLOT_HELD


@dataclass(frozen=True, slots=True)
class KeyBackoff:
    """Failures of each class since the last success, and the end of the key's rest (monotonic seconds)."""

    network: int = 0
    http: int = 0
    rate_limited: int = 0
    closed: int = 0  # ends soon after a 200 that were waited out in less than the steps of HTTP errors
    until: float | None = None
    last: FailureKind | None = None  # the latest failure since the last success

    def after(self, failure: Failure, now: float, limits: PoolLimits, rng: random.Random) -> KeyBackoff:
        """Return the backoff after `failure`; an existing longer rest is not shortened."""
        step = self._step_s(failure.kind, limits)
        if step is None:
            return self
        # The wait that the server asked for is a minimum; the jitter added to it is that of our own step.
        until = now + max(step, failure.asked_s or 0.0) + extra(step, rng)
        counted = self._counted(failure.kind, step)
        return replace(counted, until=max(until, self.until or until), last=failure.kind)

    @property
    def is_clear(self) -> bool:
        """True when no failure counts."""
        return self.last is None and not (self.network or self.http or self.rate_limited or self.closed)

    def slot_freed(self) -> KeyBackoff:
        """Return the backoff once the connection that was taken is free: a connect is due at once."""
        return replace(self, rate_limited=0, until=None, last=None) if self.last is _SLOT else self

    def cleared(self) -> KeyBackoff:
        """Return the backoff after a success: the present rest continues, but the steps start over."""
        return KeyBackoff(until=self.until)

    def rests_until(self, now: float) -> float | None:
        """Return when the rest ends, or None when there is none."""
        return self.until if self.until is not None and self.until > now else None

    def _step_s(self, kind: FailureKind, limits: PoolLimits) -> float | None:
        match kind:
            case FailureKind.NETWORK:
                return min(limits.network_backoff * (self.network + 1), limits.network_backoff_max)
            case FailureKind.CLOSED if self.closed < limits.closes_at_once:
                return 0.0
            case FailureKind.BROKEN if not self.closed:
                return limits.network_backoff
            case FailureKind.HTTP | FailureKind.REFUSED | FailureKind.CLOSED | FailureKind.BROKEN:
                return doubled(limits.http_backoff, self.http, limits.http_backoff_max)
            case FailureKind.RATE_LIMITED | FailureKind.SLOT_HELD:
                return doubled(limits.rate_limit_backoff, self.rate_limited, limits.rate_limit_backoff_max)
            case FailureKind.UNAUTHORIZED:
                return None  # left to the quarantine

    def _counted(self, kind: FailureKind, step: float) -> KeyBackoff:
        match kind:
            case FailureKind.NETWORK:
                return replace(self, network=self.network + 1)
            case FailureKind.CLOSED if step == 0:
                return replace(self, closed=self.closed + 1)
            case FailureKind.BROKEN if not self.closed:
                return replace(self, closed=1)
            case FailureKind.HTTP | FailureKind.REFUSED | FailureKind.CLOSED | FailureKind.BROKEN:
                return replace(self, http=self.http + 1)
            case _:
                return replace(self, rate_limited=self.rate_limited + 1)
