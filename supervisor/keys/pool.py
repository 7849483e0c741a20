"""The pool of keys: who holds which key, and what each key may do now.

Pure decisions: the time is passed in, nothing is read, written or logged. All times are monotonic seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.keys.choice import KeyChoice, Rank
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.states import (
    LENDABLE,
    LOST,
    ConnectVerdict,
    KeyState,
    KeyStatus,
    judge,
    state_of,
)
from traptor.supervisor.keys.failover import KeyWait, Move, Trials
from traptor.supervisor.keys.leases import Lease, LeaseBook
from traptor.supervisor.keys.news import News, PoolNews
from traptor.supervisor.keys.records import KeyRecords
from traptor.supervisor.keys.ring import KeyRing, PoolChange


@dataclass(frozen=True, slots=True)
class RefusedKeys:
    """The quarantined keys by name, when the first quarantine ends, and whether all keys are quarantined."""

    names: tuple[str, ...]
    until: float | None
    is_all: bool


class KeyPool:
    """Lends slots of the keys on `ring`, by what `records` knows of each."""

    def __init__(self, limits: PoolLimits, rng: random.Random) -> None:
        self._news = News()
        self._trials = Trials(self._news)
        self._book = LeaseBook()
        self._choice = KeyChoice(self._rank, self._news)
        self.ring = KeyRing(self._news)
        self.records = KeyRecords(limits, rng, self._news, self._trials)

    def set_limits(self, limits: PoolLimits) -> None:
        """Use other limits from now on; existing rests and quarantines keep their end."""
        self.records.limits = limits
        self._news.all_changed(self.ring.known())

    def replace(
        self, keys: Iterable[ApiKey], now: float, usable_addresses: Callable[[str], bool]
    ) -> PoolChange:
        """Replace the list of keys; budgets, states and leases follow the key_id."""
        change = self.ring.replace(keys, usable_addresses, self._book.lent)
        self.records.configured(self.ring.values())
        self.records.forget_blank(self.ring.known(), now)
        return change

    # ---- what each key may do

    def state(self, key_id: str, now: float) -> KeyState:
        """Return the state of one key."""
        if key_id not in self.ring:
            return KeyState.GONE
        if self.ring.is_off_host(key_id):
            return KeyState.UNUSABLE
        return state_of(self.records.of(key_id), now)

    def may_connect(self, key_id: str, purpose: Purpose, now: float) -> ConnectVerdict:
        """Tell whether a holder of this key may connect now."""
        record = self.records.of(key_id)
        return judge(self.state(key_id, now), record, purpose, self.records.limits, now)

    def refused(self, now: float) -> RefusedKeys:
        """Return which keys are quarantined."""
        bad = [key_id for key_id in self.ring if self.state(key_id, now) is KeyState.QUARANTINED]
        ends = (self.records.of(key_id).quarantined_until(now) for key_id in bad)
        until = min((at for at in ends if at is not None), default=None)
        return RefusedKeys(self.ring.names(bad), until, is_all=len(bad) == len(self.ring))

    def only_unusable(self, now: float) -> tuple[str, ...]:
        """Return the names of all keys if the source address of each is not on this host; else nothing."""
        if any(self.state(key_id, now) is not KeyState.UNUSABLE for key_id in self.ring):
            return ()
        return self.ring.names(self.ring)

    # ---- leases

    def lend(self, holder: str, now: float, avoid: frozenset[str] = frozenset()) -> Lease | None:
        """Lend a slot for a connection without a stream, if possible one that may connect at once."""
        best = self._choice.best(self.ring, now, avoid)
        return None if best is None else self._lend(best, holder)

    def lend_slot(self, key_id: str, holder: str, now: float) -> Lease | None:
        """Lend another slot of this key, though it may have to wait before it connects."""
        return self._lend(key_id, holder) if self._has_free_slot(key_id, now) else None

    def lend_spare(self, holder: str, other_than: str, purpose: Purpose, now: float) -> Lease | None:
        """Lend a slot of another key that may connect for `purpose` now."""
        tied = {key_id for key_id in self.ring if not self.may_connect(key_id, purpose, now).allowed}
        return self.lend(holder, now, avoid=frozenset({other_than, *tied}))

    def move(self, lease: Lease, now: float) -> Lease | None:
        """Lend a spare's slot to a holder without a stream that waits for its key, if a move is worthwhile.

        The lease must be outstanding. The holder gives the old lease back.
        """
        wait = self._wait(lease.key_id, now)
        move = Move.STAY if wait is None else self._trials.choose(wait, now)
        if wait is None or move is Move.STAY:
            return None
        spare = self.lend_spare(lease.holder, lease.key_id, Purpose.FRESH, now)
        if spare is not None and move is Move.TRY:
            self._trials.moved(wait.failing, self.records.limits, now)
        return spare

    def give_back(self, lease: Lease, now: float) -> None:
        """End a lease; a key without leases has no stream. Giving back twice is harmless.

        Both generations of an overlap use one lease: it is given back when neither needs it.
        """
        if not self._book.give_back(lease):
            return
        self._news.changed(lease.key_id)
        if not self._book.of(lease.key_id):
            self.ring.returned(lease.key_id)
            self.records.streams_over(lease.key_id, now)

    def leases_of(self, key_id: str) -> tuple[Lease, ...]:
        """Return the leases of one key, oldest first."""
        return self._book.of(key_id)

    def leases_held_by(self, holder: str) -> tuple[Lease, ...]:
        """Return the leases of one holder, oldest first."""
        return self._book.held_by(holder)

    def still_good(self, lease: Lease, now: float) -> bool:
        """Tell whether the holder may stay; above `max_connections` leases, the newest must move.

        Leases of a SUSPECT key remain good for the streams that they have; the holder whose connect was
        refused gives its own back.
        """
        if self.state(lease.key_id, now) in LOST:
            return False
        return lease in self._book.of(lease.key_id)[: self.ring[lease.key_id].max_connections]

    # ---- what is kept and shown

    def dump(self, now: float, wall_now: float) -> dict[str, Any]:
        """Return what must outlive the master, as plain JSON values with wall-clock times; no secrets."""
        self.records.forget_blank(self.ring.known(), now)
        return self.records.dump(now, wall_now)

    def load(self, dump: dict[str, Any], now: float, wall_now: float) -> None:
        """Restore the result of `dump`, before or after the first `replace`.

        Raises TraptorError when it has another form; the pool is then unchanged.
        """
        self.records.load(dump, now, wall_now)
        self.records.configured(self.ring.values())
        self._news.all_changed(self.ring.known())

    @property
    def changes(self) -> int:
        """How often a key has changed: while it is the same, only time may have changed a status."""
        return self._news.number

    def statuses(self, now: float) -> tuple[KeyStatus, ...]:
        """Return the status of every configured key, and of removed ones that are still lent, by name."""
        keys = sorted(self.ring.known().values(), key=lambda key: (key.name, key.key_id))
        return tuple(self._status(key, now) for key in keys)

    def next_change(self, now: float) -> float | None:
        """Return when time alone next changes what a configured key may do; None: never.

        Only keys that changed since the last call are examined.
        """
        for key_id in self._news.take_untimed(now):
            self._news.changes_at(key_id, self._changes_at(key_id, now) if key_id in self.ring else None)
        return self._news.next_change

    def take_news(self, now: float) -> PoolNews:
        """Return who is affected by changes since the last call, caused by events or by time alone."""
        changed, is_relief = self._news.take_untold(now)
        holders = (lease.holder for key_id in changed for lease in self._book.of(key_id))
        return PoolNews(frozenset(holders), is_relief)

    # ---- steps

    def _lend(self, key_id: str, holder: str) -> Lease:
        self._news.used(key_id)
        return self._book.lend(key_id, holder)

    def _has_free_slot(self, key_id: str, now: float) -> bool:
        if self.state(key_id, now) not in LENDABLE:
            return False
        return len(self._book.of(key_id)) < self.ring[key_id].max_connections

    def _rank(self, key_id: str, now: float) -> Rank | None:
        if not self._has_free_slot(key_id, now):
            return None
        ready_at = self.may_connect(key_id, Purpose.FRESH, now).not_before
        record = self.records.of(key_id).settled(now)
        return Rank(
            ready_at=now if ready_at is None else ready_at,
            has_failed=record.backoff.last is not None,
            lent=len(self._book.of(key_id)),
            less_left=-record.budget.left(self.records.limits, now),
            name=self.ring[key_id].name,
            key_id=key_id,
        )

    def _wait(self, key_id: str, now: float) -> KeyWait | None:
        """Return why a lent key may not connect; None when it may, or when waiting does not help."""
        until = self.may_connect(key_id, Purpose.FRESH, now).not_before
        if until is None:
            return None
        backoff = self.records.of(key_id).settled(now).backoff
        return KeyWait(until - now, until > (backoff.rests_until(now) or now), backoff.last)

    def _changes_at(self, key_id: str, now: float) -> float | None:
        verdicts = [self.may_connect(key_id, purpose, now).not_before for purpose in Purpose]
        times = (self.records.of(key_id).backoff.rests_until(now), *verdicts)
        return min((at for at in times if at is not None), default=None)

    def _status(self, key: ApiKey, now: float) -> KeyStatus:
        state, record = self.state(key.key_id, now), self.records.of(key.key_id)
        verdict = judge(state, record, Purpose.FRESH, self.records.limits, now)
        return KeyStatus(
            name=key.name,
            key_id=key.key_id,
            state=state,
            lent=len(self._book.of(key.key_id)),
            max_connections=key.max_connections,
            budget_left=record.budget.left(record.limits(self.records.limits), now),
            not_before=verdict.not_before,
            source_address=key.source_address,
            hindrance=verdict.hindrance,
            reason=verdict.reason,
            last_error=record.last_error,
            failed_at=record.failed_at,
            last_used_at=record.last_used_at,
        )
