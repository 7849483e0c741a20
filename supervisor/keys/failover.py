"""Decide whether a connection that waits for its key should move to a spare (docs/decisions/0005). Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from traptor.common.timing.backoff import doubled
from traptor.supervisor.keys.conduct.failures import LASTING_S, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.news import News

WORTH_S = 1.0
"""A shorter wait is waited out: a move would spend a connect of the spare to gain next to nothing."""


class Move(StrEnum):
    """The choices of a connection whose key may not connect now."""

    STAY = "stay"
    GO = "go"  # only this key's own budget prevents a connect: any other key is better
    TRY = "try"  # its key failed, and other keys may fail too: a trial on behalf of all connections


@dataclass(frozen=True, slots=True)
class KeyWait:
    """The reason why a key may not connect, and its duration.

    `failing` is its last kind of failure, or None when it had a lasting stream (or no failure) since.
    """

    seconds: float
    is_for_budget: bool
    failing: FailureKind | None


@dataclass(frozen=True, slots=True)
class Trial:
    """The results of moves off failed keys, over all connections; times are monotonic seconds.

    When every key fails for a common reason (say, the server limits this host's address), moves only waste
    connects. So one connection tries first, and others follow once a stream shows that another key works.
    Otherwise the next trial comes after the steps that Twitter requires after a 420.
    """

    moves: int = 0  # in a row, none of which is known to have helped
    not_before: float = -math.inf
    is_after_close: bool = False  # a 200 proves nothing then: the stream has to last
    opened_at: float | None = None

    @property
    def due(self) -> float:
        """The earliest time of the next move off a failed key."""
        return self.not_before if self.opened_at is None else min(self.not_before, self.opened_at + LASTING_S)

    def moved(self, failure: FailureKind | None, limits: PoolLimits, now: float) -> Trial:
        """Return the trial after a connection moved to another key, whose result is unknown yet."""
        moves = 0 if self._has_helped(now) else self.moves
        hold_s = doubled(limits.rate_limit_backoff, moves, limits.rate_limit_backoff_max)
        return Trial(moves + 1, now + hold_s, failure in (FailureKind.CLOSED, FailureKind.BROKEN))

    def connected(self, at: float) -> Trial:
        """Return the trial after some key got a 200."""
        if self._has_helped(at) or not self.is_after_close:
            return Trial()
        return replace(self, opened_at=at)

    def closed(self, at: float) -> Trial:
        """Return the trial after some key's stream ended soon after its 200, and not by us."""
        return Trial() if self._has_helped(at) else replace(self, opened_at=None)

    def _has_helped(self, now: float) -> bool:
        """Tell whether a stream has lasted since the move."""
        return self.opened_at is not None and self.opened_at + LASTING_S <= now


class Trials:
    """Owns the pool's present trial, and notes in the news when the next move may be worthwhile."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._trial = Trial()

    def choose(self, wait: KeyWait, now: float) -> Move:
        """Return what the holder of a waiting key should do, provided a spare may connect now."""
        return choose_move(wait, self._trial, now)

    def moved(self, failure: FailureKind | None, limits: PoolLimits, now: float) -> None:
        """Record that a connection moved off a key that failed."""
        self._set(self._trial.moved(failure, limits, now))

    def connected(self, now: float) -> None:
        """Record that some key got a 200."""
        self._set(self._trial.connected(now))

    def closed(self, now: float) -> None:
        """Record that some key's stream ended soon after its 200, and not by us."""
        self._set(self._trial.closed(now))

    def _set(self, trial: Trial) -> None:
        if trial.due < self._trial.due:
            self._news.relieved()
        self._trial = trial
        self._news.trial_due(trial.due if trial.due > -math.inf else None)


def choose_move(wait: KeyWait, trial: Trial, now: float) -> Move:
    """Return what the holder of a waiting key should do, provided a spare may connect now."""
    if wait.seconds <= WORTH_S or _is_the_servers(wait):
        return Move.STAY
    if wait.failing is None:
        return Move.GO
    return Move.TRY if now >= trial.due else Move.STAY


def _is_the_servers(wait: KeyWait) -> bool:
    """Tell whether the server or the network causes the wait: another key would only ask them sooner.

    A network failure that used up a budget is over long before the budget comes back.
    """
    if wait.failing is FailureKind.NETWORK:
        return not wait.is_for_budget
    return wait.failing in (FailureKind.HTTP, FailureKind.REFUSED)
