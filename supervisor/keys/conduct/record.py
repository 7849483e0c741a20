"""The record of one key, whether or not it is in the pool now, and its changes by events."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from traptor.common.messages import DisconnectKind
from traptor.common.timing.backoff import doubled
from traptor.supervisor.keys.conduct.backoff import KeyBackoff
from traptor.supervisor.keys.conduct.budget import Budget, Purpose
from traptor.supervisor.keys.conduct.failures import LASTING_S, LONGEST_ASKED_S, Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits

OVERLAP_TRIES = 2
"""A first refusal may only mean that the key connected too often lately; a second one is final."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Budget, backoff and suspicion of one key; all times are monotonic seconds. It holds no secret.

    `terms` is a fingerprint of what makes a key different to Twitter: its secrets, address and proxy.
    """

    terms: str = ""
    budget: Budget = field(default_factory=Budget)
    backoff: KeyBackoff = field(default_factory=KeyBackoff)
    failed_at: float | None = None
    last_error: str = ""  # of that failure, for people
    last_used_at: float | None = None  # of its last permitted connect
    quarantine_until: float | None = None
    quarantine_level: int = 0
    is_suspect: bool = False
    overlap_refusals: int = 0
    open_since: tuple[float, ...] = ()  # of its open streams
    server_limit: int | None = None  # connects in a window, as the server last announced (v2)
    closed_until: float | None = None  # the server's window is used up, by its own count (v2)

    # ---- present state

    def quarantined_until(self, now: float) -> float | None:
        """Return when the quarantine ends, or None when there is none."""
        return (
            self.quarantine_until
            if self.quarantine_until is not None and self.quarantine_until > now
            else None
        )

    def may_overlap(self) -> bool:
        """Tell whether the server can still be expected to close the older of two connections of this key."""
        return self.overlap_refusals < OVERLAP_TRIES

    def is_blank(self, limits: PoolLimits, now: float) -> bool:
        """Tell whether dropping the record would change nothing."""
        fresh = KeyRecord(
            terms=self.terms,
            failed_at=self.failed_at,
            last_error=self.last_error,
            last_used_at=self.last_used_at,
            server_limit=self.server_limit,
        )
        faded = replace(
            self,
            budget=Budget() if self.budget.used(limits, now) == 0 else self.budget,
            backoff=self.backoff if self.backoff.rests_until(now) else replace(self.backoff, until=None),
            quarantine_until=self.quarantined_until(now),
            closed_until=self.closed_until if (self.closed_until or now) > now else None,
        )
        return faded == fresh

    def is_free(self, limits: PoolLimits, now: float) -> bool:
        """Tell whether no connect counts any more, and no rest, quarantine or suspicion hinders one."""
        rests = (self.backoff.rests_until(now), self.quarantined_until(now))
        is_closed = self.closed_until is not None and self.closed_until > now
        is_held = self.is_suspect or is_closed or any(until is not None for until in rests)
        return not is_held and self.budget.used(limits, now) == 0

    def limits(self, ours: PoolLimits) -> PoolLimits:
        """Return the limits that count: the server's number of connects where it is the smaller."""
        if self.server_limit is None or self.server_limit >= ours.connects:
            return ours
        return replace(ours, connects=max(1, self.server_limit))

    def free_at(self, purpose: Purpose, ours: PoolLimits, now: float) -> float:
        """Return the earliest time, not before `now`, at which a connect for `purpose` fits."""
        return max(self.budget.free_at(purpose, self.limits(ours), now), self.closed_until or now)

    # ---- events

    def told(self, limit: int | None, remaining: int | None, reset_at: float | None, now: float) -> KeyRecord:
        """Return the record after the server announced its own limit of connects."""
        is_used_up = remaining == 0 and reset_at is not None and reset_at > now
        until = min(reset_at or now, now + LONGEST_ASKED_S) if is_used_up else None
        return replace(self, server_limit=limit, closed_until=until)

    def with_terms(self, terms: str) -> KeyRecord:
        """Return the record under these terms: new ones end quarantine, suspicion and the ban on overlaps."""
        if self.terms in ("", terms):
            return replace(self, terms=terms)
        return replace(
            self, terms=terms, quarantine_until=None, quarantine_level=0, is_suspect=False, overlap_refusals=0
        )

    def spent(self, limits: PoolLimits, now: float) -> KeyRecord:
        """Return the record after a connect was permitted."""
        return replace(self, budget=self.budget.spend(limits, now), last_used_at=now)

    def refunded(self) -> KeyRecord:
        """Return the record after a permitted connect that never reached the server."""
        return replace(self, budget=self.budget.refund())

    def connected(self, now: float) -> KeyRecord:
        """Return the record after a 200; whether it is a success shows later."""
        return replace(self.settled(now), open_since=(*self.open_since, now))

    def failed(self, failure: Failure, now: float, limits: PoolLimits, rng: random.Random) -> KeyRecord:
        """Return the record after a connect that did not become a lasting stream."""
        settled = replace(self.settled(now), failed_at=now, last_error=failure.text)
        if failure.kind is FailureKind.UNAUTHORIZED:
            # A key that streams is good, even if an extra connect is refused; but it gets no second chance.
            return replace(settled, is_suspect=True) if self.open_since else settled._quarantined(limits, now)
        return replace(settled, backoff=settled.backoff.after(failure, now, limits, rng))

    def stream_ended(
        self, streamed_for_s: float, kind: DisconnectKind, now: float, limits: PoolLimits, rng: random.Random
    ) -> KeyRecord:
        """Return the record after the end of an open stream."""
        failure = Failure.of_short_stream(kind) if streamed_for_s < LASTING_S else None
        # A stream that carried no byte and was found stalled late is old but has not lasted: no success.
        before = self.settled(now) if failure is None else self
        ended = before._without_stream(now - streamed_for_s)
        if failure is not None:
            ended = ended.failed(failure, now, limits, rng)
        return ended.judged(limits, now)

    def released(self) -> KeyRecord:
        """Return the record after the operator ended its rests; connects that were made still count."""
        return replace(
            self,
            backoff=KeyBackoff(),
            quarantine_until=None,
            quarantine_level=0,
            is_suspect=False,
            overlap_refusals=0,
        )

    def without_streams(self, limits: PoolLimits, now: float) -> KeyRecord:
        """Return the record once every stream has certainly ended."""
        return replace(self.settled(now), open_since=()).judged(limits, now)

    def judged(self, limits: PoolLimits, now: float) -> KeyRecord:
        """Return the record with a suspect key quarantined when it has no stream."""
        return self._quarantined(limits, now) if self.is_suspect and not self.open_since else self

    def moved(self, by_s: float) -> KeyRecord:
        """Return the record with its times on another clock, without streams, which end with the master."""
        return replace(
            self,
            budget=Budget(tuple(at + by_s for at in self.budget.connects)),
            backoff=replace(self.backoff, until=_moved(self.backoff.until, by_s)),
            failed_at=_moved(self.failed_at, by_s),
            last_used_at=_moved(self.last_used_at, by_s),
            quarantine_until=_moved(self.quarantine_until, by_s),
            closed_until=_moved(self.closed_until, by_s),
            open_since=(),
        )

    def slot_freed(self) -> KeyRecord:
        """Return the record once the app's connection that was taken is free."""
        return replace(self, backoff=self.backoff.slot_freed())

    def overlap_refused(self) -> KeyRecord:
        """Return the record after the server refused an overlap."""
        return replace(self, overlap_refusals=self.overlap_refusals + 1)

    def overlap_worked(self) -> KeyRecord:
        """Return the record after the server took an overlap."""
        return replace(self, overlap_refusals=0)

    @property
    def is_settled(self) -> bool:
        """True when there is nothing that a stream could make up for by lasting."""
        return self.backoff.is_clear and not self.quarantine_level

    def settled(self, now: float) -> KeyRecord:
        """Return the record in which a stream that has lasted counts as a success.

        Only a stream opened after the last failure says anything about that failure.
        """
        if self.is_settled:
            return self
        if any(
            at + LASTING_S <= now and (self.failed_at is None or at > self.failed_at)
            for at in self.open_since
        ):
            return replace(self, backoff=self.backoff.cleared(), quarantine_level=0)
        return self

    # ---- steps

    def _without_stream(self, opened_at: float) -> KeyRecord:
        if not self.open_since:
            return self
        # The worker reads the clock itself: take the nearest time.
        nearest = min(self.open_since, key=lambda at: abs(at - opened_at))
        left = list(self.open_since)
        left.remove(nearest)
        return replace(self, open_since=tuple(left))

    def _quarantined(self, limits: PoolLimits, now: float) -> KeyRecord:
        if self.quarantined_until(now) is not None:
            return replace(self, is_suspect=False)  # a second refusal of the same cause is no repeat
        until = now + doubled(limits.quarantine, self.quarantine_level, limits.quarantine_max)
        return replace(
            self, is_suspect=False, quarantine_until=until, quarantine_level=self.quarantine_level + 1
        )


def _moved(at: float | None, by_s: float) -> float | None:
    return None if at is None else at + by_s
