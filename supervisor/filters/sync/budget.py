"""The requests for filters that an app may still make: by our limits, and by what X says of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec

from traptor.common.timing.backoff import doubled
from traptor.supervisor.keys.conduct.failures import LONGEST_ASKED_S
from traptor.supervisor.state.kept import read_kept
from traptor.supervisor.xapi.quota import Quota

_FIRST_REST_S = 60.0  # after a 429 without a time that can be used; doubled
_LAST_REST_S = 900.0
_PLENTY = 0.5  # of a window: while more is left, nothing is gathered
_UNREADABLE = (
    "the rule requests kept in state_dir cannot be read; move state.db away to start without them"
    " (X may then refuse some requests)"
)


class RequestKind(StrEnum):
    """Requests that X limits together."""

    LIST = "list"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What an app may ask in a window, by X's documents or by the operator."""

    lists: int = 450
    changes: int = 100
    window_s: float = 900.0

    def of(self, kind: RequestKind) -> int:
        """Return the limit of one kind."""
        return self.lists if kind is RequestKind.LIST else self.changes


@dataclass(frozen=True, slots=True)
class Window:
    """The requests of one kind; times are seconds of the clock that the caller uses."""

    spent: tuple[float, ...] = ()
    limit: int | None = None  # X's, as last announced
    left: int | None = None  # until `left_until`, by X's count, which includes requests of others
    left_until: float = 0.0
    closed_until: float = 0.0
    refusals: int = 0  # 429 in a row

    def free_at(self, ours: int, window_s: float, now: float) -> float:
        """Return the earliest time, not before `now`, for one more request."""
        most = ours if self.limit is None else min(ours, max(1, self.limit))
        counting = [at for at in self.spent if at + window_s > now]
        at = now if len(counting) < most else counting[len(counting) - most] + window_s
        if self.left == 0 and self.left_until > now:
            at = max(at, self.left_until)
        return max(at, self.closed_until)

    def paced_at(self, ours: int, window_s: float, now: float) -> float:
        """Return when a request is due that can wait for others to be made with it.

        While more than half of the window's are left, now. Then what is left is spread over the time until
        there are more, so that the next one never has to wait for all of that time.
        """
        most = ours if self.limit is None else min(ours, max(1, self.limit))
        counting = [at for at in self.spent if at + window_s > now]
        if not counting:
            return now
        left, more_at = most - len(counting), counting[0] + window_s
        if self.left is not None and self.left < left and self.left_until > now:
            left, more_at = self.left, self.left_until
        if left > most * _PLENTY or left <= 0:
            return now
        latest = counting[-1]
        return max(now, latest + (more_at - latest) / (left + 1))

    def is_closed(self, now: float) -> bool:
        """Tell whether X takes none now, by what it said; else our own count decides."""
        return max(self.closed_until, self.left_until if self.left == 0 else 0.0) > now

    def spend(self, window_s: float, now: float) -> Window:
        """Return the window after a request at `now`."""
        counting = tuple(at for at in self.spent if at + window_s > now)
        left = None if self.left is None or self.left_until <= now else max(0, self.left - 1)
        return replace(self, spent=(*counting, now), left=left)

    def told(self, quota: Quota, now: float, wall_now: float) -> Window:
        """Return the window after an answer that is no 429."""
        wait_s = _wait_s(quota, wall_now)
        limit = self.limit if quota.limit is None else quota.limit
        if quota.remaining is None:
            return replace(self, limit=limit, refusals=0)
        if wait_s is None:  # no reset, or one in the past: X's count says nothing about the time to come
            rest = now + _FIRST_REST_S if quota.remaining == 0 else self.closed_until
            closed_until = max(self.closed_until, rest)
            return replace(self, limit=limit, left=None, closed_until=closed_until, refusals=0)
        return replace(self, limit=limit, left=quota.remaining, left_until=now + wait_s, refusals=0)

    def refused(self, quota: Quota, now: float, wall_now: float) -> Window:
        """Return the window after a 429."""
        told_s = max(_wait_s(quota, wall_now) or 0.0, min(quota.retry_after_s or 0.0, LONGEST_ASKED_S))
        step_s = doubled(_FIRST_REST_S, self.refusals, _LAST_REST_S)
        wait_s = told_s if told_s and not self.refusals else max(told_s, step_s)
        limit = self.limit if quota.limit is None else quota.limit
        closed_until = max(self.closed_until, now + wait_s)
        return replace(self, limit=limit, left=None, closed_until=closed_until, refusals=self.refusals + 1)

    def moved(self, by_s: float, latest: float) -> Window:
        """Return it on another clock; no request is later than `latest`, and no wait too long."""
        return replace(
            self,
            spent=tuple(sorted(min(at + by_s, latest) for at in self.spent)),
            left_until=min(self.left_until + by_s, latest + LONGEST_ASKED_S),
            closed_until=min(self.closed_until + by_s, latest + LONGEST_ASKED_S),
        )


@dataclass(frozen=True, slots=True)
class RuleBudget:
    """The windows of one app."""

    limits: RequestLimits = RequestLimits()
    windows: Mapping[RequestKind, Window] = field(default_factory=dict)

    def of(self, kind: RequestKind) -> Window:
        """Return the window of one kind."""
        return self.windows.get(kind, Window())

    def free_at(self, kind: RequestKind, now: float) -> float:
        """Return the earliest time, not before `now`, for a request of this kind."""
        return self.of(kind).free_at(self.limits.of(kind), self.limits.window_s, now)

    def paced_at(self, kind: RequestKind, now: float) -> float:
        """Return when a request of this kind is due that can wait for others to be made with it."""
        return self.of(kind).paced_at(self.limits.of(kind), self.limits.window_s, now)

    def why_none(self, kind: RequestKind, now: float) -> str:
        """Return why there is no request of this kind before `free_at`: a sentence for people."""
        window, ours = self.of(kind), self.limits.of(kind)
        if window.is_closed(now):
            return f"{kind} filters: X takes no more of these requests for now"
        most = ours if window.limit is None else min(ours, max(1, window.limit))
        return f"{kind} filters: {most:,} of {most:,} requests in {self.limits.window_s:g} s are used"

    def spend(self, kind: RequestKind, now: float) -> RuleBudget:
        """Return the budget after a request."""
        return self._with(kind, self.of(kind).spend(self.limits.window_s, now))

    def told(self, kind: RequestKind, quota: Quota, now: float, wall_now: float) -> RuleBudget:
        """Return the budget after an answer that is no 429."""
        return self._with(kind, self.of(kind).told(quota, now, wall_now))

    def refused(self, kind: RequestKind, quota: Quota, now: float, wall_now: float) -> RuleBudget:
        """Return the budget after a 429."""
        return self._with(kind, self.of(kind).refused(quota, now, wall_now))

    def dump(self, now: float, wall_now: float) -> dict[str, Any]:
        """Return it as JSON values, with wall-clock times, for state_dir."""
        by_s = wall_now - now
        windows = {str(kind): window.moved(by_s, wall_now) for kind, window in self.windows.items()}
        return {"saved_at": wall_now, "windows": msgspec.to_builtins(windows)}

    def _with(self, kind: RequestKind, window: Window) -> RuleBudget:
        return replace(self, windows={**self.windows, kind: window})


@dataclass(frozen=True, slots=True)
class _Dump:
    saved_at: float
    windows: dict[RequestKind, Window]


def load_budget(dump: Mapping[str, Any], limits: RequestLimits, now: float, wall_now: float) -> RuleBudget:
    """Return the budget of a dump. Raises TraptorError where it is none.

    When the wall clock was set back meanwhile, no time counts as passed.
    """
    saved = read_kept(_Dump, dump, _UNREADABLE)
    by_s = now - max(wall_now, saved.saved_at)
    return RuleBudget(limits, {kind: window.moved(by_s, now) for kind, window in saved.windows.items()})


def _wait_s(quota: Quota, wall_now: float) -> float | None:
    """Return how far away X's reset is; None where there is none ahead."""
    wait_s = quota.reset_s(wall_now)
    return None if wait_s is None else min(wait_s, LONGEST_ASKED_S)
