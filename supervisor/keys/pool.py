"""The pool of keys: who holds which key, and what each key may do now.

Pure decisions: the time is passed in, nothing is read, written or logged. All times are monotonic seconds.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from traptor.common.config.keys.key import ApiKey
from traptor.common.messages import DisconnectKind
from traptor.common.timing.moments import Moments
from traptor.supervisor.keys.budget import Purpose
from traptor.supervisor.keys.dump import RecordDump, load_records
from traptor.supervisor.keys.failover import KeyWait, Move, Trial, choose_move
from traptor.supervisor.keys.failures import LASTING_S, Failure, FailureKind
from traptor.supervisor.keys.leases import Lease, LeaseBook
from traptor.supervisor.keys.limits import PoolLimits
from traptor.supervisor.keys.record import KeyRecord
from traptor.supervisor.keys.states import (
    LENDABLE,
    LOST,
    ConnectVerdict,
    KeyState,
    KeyStatus,
    judge,
    state_of,
)

__all__ = [
    "ConnectVerdict",
    "Failure",
    "FailureKind",
    "KeyPool",
    "KeyState",
    "KeyStatus",
    "Lease",
    "PoolChange",
    "PoolLimits",
    "Purpose",
    "RefusedKeys",
]


_BLANK = KeyRecord()  # of a key with no history
_Preference = tuple[float, bool, int, int, str, str]


@dataclass(frozen=True, slots=True)
class PoolChange:
    """The changes of a reload, and the keys that cannot be used on this host, by name."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  # new secrets, source address or proxy
    resized: tuple[str, ...] = ()  # new max_connections
    unusable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusedKeys:
    """The quarantined keys by name, when the first quarantine ends, and whether all keys are quarantined."""

    names: tuple[str, ...]
    until: float | None
    is_all: bool


@dataclass(frozen=True, slots=True)
class PoolNews:
    """The connections affected by changes of keys since the last call.

    `holders` have leases of keys that changed. `is_relief`: a connection waiting for a key may find one now.
    """

    holders: frozenset[str] = frozenset()
    is_relief: bool = False


_TRIAL = "trial"  # the name among moments by key_id, which are hex digits


class KeyPool:
    """Lends slots of keys, and remembers by key_id what Twitter would hold against each key."""

    def __init__(self, limits: PoolLimits, rng: random.Random) -> None:
        self._limits = limits
        self._rng = rng
        self._keys: dict[str, ApiKey] = {}
        self._gone: dict[str, ApiKey] = {}  # no longer configured, but still lent
        self._off_host: frozenset[str] = frozenset()
        self._missed: frozenset[str] = frozenset()  # keys whose address the last check did not find
        self._records: dict[str, KeyRecord] = {}
        self._dump = RecordDump()
        self._book = LeaseBook()
        self._trial = Trial()
        self._touched: set[str] = set()  # keys with unreported news
        self._untimed: set[str] = set()  # keys whose next change by time alone must be recomputed
        self._changes_at = Moments()  # the next change of each key by time alone
        self._is_relief = False
        # computed for `_preferred_at`; None: no slot to lend
        self._preferences: dict[str, _Preference | None] = {}
        self._preferred_at = 0.0

    def set_limits(self, limits: PoolLimits) -> None:
        """Use other limits from now on; existing rests and quarantines keep their end."""
        self._limits = limits
        self._touch_all()

    # ---- the keys

    def replace(
        self, keys: Iterable[ApiKey], now: float, usable_addresses: Callable[[str], bool]
    ) -> PoolChange:
        """Replace the list of keys; budgets, states and leases follow the key_id."""
        old, new = self._keys, {key.key_id: key for key in keys}
        self._keys = new
        self._off_host = self._missed = self._without_address(usable_addresses)
        known_gone = self._gone | old
        self._gone = {
            key_id: key for key_id, key in known_gone.items() if key_id not in new and self._book.of(key_id)
        }
        for key_id, key in new.items():
            self._records[key_id] = self._record(key_id).with_terms(_terms(key))
        self._touch_all()
        self._forget_blank_records(now)
        return _change(old, new, self._off_host)

    def look_at_addresses(
        self, usable_addresses: Callable[[str], bool]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Check which source addresses are present; return the names of keys without one, and of those back.

        An address counts as gone when two checks in a row miss it: an interface may flap.
        """
        missing = self._without_address(usable_addresses)
        gone, back = (missing & self._missed) - self._off_host, self._off_host - missing
        self._missed, self._off_host = missing, (self._off_host | gone) - back
        for key_id in gone | back:
            self._touch(key_id)
        self._is_relief |= bool(back)
        return _names(self._keys, gone), _names(self._keys, back)

    def key(self, key_id: str) -> ApiKey:
        """Return the configured key. Raises KeyError when there is none."""
        return self._keys[key_id]

    def named(self, name: str) -> ApiKey | None:
        """Return the configured key of this name, or None."""
        return next((key for key in self._keys.values() if key.name == name), None)

    def difference(self, keys: Iterable[ApiKey], usable_addresses: Callable[[str], bool]) -> PoolChange:
        """Return what `replace` would change."""
        new = {key.key_id: key for key in keys}
        return _change(self._keys, new, _without_address(new, usable_addresses))

    def release(self, key_id: str) -> None:
        """End the rests, the quarantine and the suspicion of a key; its budget stays as it is."""
        self._keep(key_id, self._record(key_id).released())
        self._is_relief = True

    def state(self, key_id: str, now: float) -> KeyState:
        """Return the state of one key."""
        if key_id not in self._keys:
            return KeyState.GONE
        if key_id in self._off_host:
            return KeyState.UNUSABLE
        return state_of(self._record(key_id), now)

    def refused(self, now: float) -> RefusedKeys:
        """Return which keys are quarantined."""
        bad = [key_id for key_id in self._keys if self.state(key_id, now) is KeyState.QUARANTINED]
        ends = (self._record(key_id).quarantined_until(now) for key_id in bad)
        until = min((at for at in ends if at is not None), default=None)
        return RefusedKeys(_names(self._keys, bad), until, is_all=len(bad) == len(self._keys))

    @property
    def is_empty(self) -> bool:
        """Tell whether no key is configured."""
        return not self._keys

    def only_unusable(self, now: float) -> tuple[str, ...]:
        """Return the names of all keys if the source address of each is not on this host; else nothing."""
        if any(self.state(key_id, now) is not KeyState.UNUSABLE for key_id in self._keys):
            return ()
        return _names(self._keys, list(self._keys))

    # ---- leases

    def lend(self, holder: str, now: float, avoid: frozenset[str] = frozenset()) -> Lease | None:
        """Lend a slot for a connection without a stream, if possible one that may connect at once."""
        wishes = (self._preference(key_id, now) for key_id in self._keys if key_id not in avoid)
        best = min((wish for wish in wishes if wish is not None), default=None)
        return None if best is None else self._lend(best[-1], holder)

    def lend_slot(self, key_id: str, holder: str, now: float) -> Lease | None:
        """Lend another slot of this key, though it may have to wait before it connects."""
        return self._lend(key_id, holder) if self._has_free_slot(key_id, now) else None

    def lend_spare(self, holder: str, other_than: str, purpose: Purpose, now: float) -> Lease | None:
        """Lend a slot of another key that may connect for `purpose` now."""
        tied = {key_id for key_id in self._keys if not self.may_connect(key_id, purpose, now).allowed}
        return self.lend(holder, now, avoid=frozenset({other_than, *tied}))

    def move(self, lease: Lease, now: float) -> Lease | None:
        """Lend a spare's slot to a holder without a stream that waits for its key, if a move is worthwhile.

        The lease must be outstanding. The holder gives the old lease back.
        """
        wait = self._wait(lease.key_id, now)
        move = Move.STAY if wait is None else choose_move(wait, self._trial, now)
        if wait is None or move is Move.STAY:
            return None
        spare = self.lend_spare(lease.holder, lease.key_id, Purpose.FRESH, now)
        if spare is not None and move is Move.TRY:
            self._set_trial(self._trial.moved(wait.failing, self._limits, now))
        return spare

    def give_back(self, lease: Lease, now: float) -> None:
        """End a lease; a key without leases has no stream. Giving back twice is harmless.

        Both generations of an overlap use one lease: it is given back when neither needs it.
        """
        if not self._book.give_back(lease):
            return
        self._touch(lease.key_id)
        if not self._book.of(lease.key_id):
            self._gone.pop(lease.key_id, None)
            self._records[lease.key_id] = self._record(lease.key_id).without_streams(self._limits, now)

    def leases(self) -> tuple[Lease, ...]:
        """Return every outstanding lease."""
        return self._book.all()

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
        return lease in self._book.of(lease.key_id)[: self._keys[lease.key_id].max_connections]

    # ---- connects

    def may_connect(self, key_id: str, purpose: Purpose, now: float) -> ConnectVerdict:
        """Tell whether a holder of this key may connect now."""
        return judge(self.state(key_id, now), self._record(key_id), purpose, self._limits, now)

    def budget_free_at(self, key_id: str, purpose: Purpose, now: float) -> float:
        """Return the earliest time, not before `now`, at which the key's budget has a connect left."""
        return self._record(key_id).budget.free_at(purpose, self._limits, now)

    def spend(self, key_id: str, now: float) -> None:
        """Count a connect; call this when the permission is given, not when the outcome is known."""
        self._records[key_id] = self._record(key_id).spent(self._limits, now)
        self._forget_worked_out(key_id)  # no news: nobody else gains anything from it

    def refund(self, key_id: str) -> None:
        """Take back the latest connect, which never reached the server (docs/decisions/0004)."""
        self._keep(key_id, self._record(key_id).refunded())

    def connected(self, key_id: str, now: float) -> None:
        """Record a 200. It clears nothing yet: a stream is a success once it has lasted LASTING_S."""
        self._keep(key_id, self._record(key_id).connected(now))
        self._set_trial(self._trial.connected(now))

    def stream_ended(self, key_id: str, now: float, streamed_for_s: float, kind: DisconnectKind) -> None:
        """Record the end of an open stream, `streamed_for_s` from its 200 to its last byte.

        Before LASTING_S that is a failure, unless we closed it. In an overlap we ended the older stream,
        whoever closed the socket: report it as OWN_CLOSE.
        """
        record = self._record(key_id)
        self._keep(key_id, record.stream_ended(streamed_for_s, kind, now, self._limits, self._rng))
        if streamed_for_s < LASTING_S and kind is DisconnectKind.SERVER_CLOSE:
            self._set_trial(self._trial.closed(now))

    def failed(self, key_id: str, now: float, failure: Failure) -> None:
        """Record a connect answered with another status than 200, or not at all."""
        self._keep(key_id, self._record(key_id).failed(failure, now, self._limits, self._rng))

    def told(
        self, key_id: str, limit: int | None, remaining: int | None, reset_at: float | None, now: float
    ) -> None:
        """Record what the server announced of its own limit of connects; the smaller of both counts."""
        self._keep(key_id, self._record(key_id).told(limit, remaining, reset_at, now))

    def slot_freed(self, key_id: str) -> None:
        """Record that the app's connection, which was taken, is free: a connect is due at once."""
        self._keep(key_id, self._record(key_id).slot_freed())

    # ---- overlap

    def overlap_allowed(self, key_id: str) -> bool:
        """Tell whether a second connection may be opened for the server to close the first."""
        return self._record(key_id).may_overlap()

    def overlap_refused(self, key_id: str) -> None:
        """Record that the server refused the second connection (420/429); report that to `failed` too."""
        self._keep(key_id, self._record(key_id).overlap_answered(refused=True))

    def overlap_worked(self, key_id: str) -> None:
        """Record that the second connection streams: earlier refusals had other reasons."""
        self._keep(key_id, self._record(key_id).overlap_answered(refused=False))

    # ---- what is kept and shown

    def dump(self, now: float, wall_now: float) -> dict[str, Any]:
        """Return what must outlive the master, as plain JSON values with wall-clock times; no secrets."""
        self._forget_blank_records(now)
        return self._dump.of(self._records, now, wall_now)

    def load(self, dump: dict[str, Any], now: float, wall_now: float) -> None:
        """Restore the result of `dump`, before or after the first `replace`.

        Raises TraptorError when it has another form; the pool is then unchanged.
        """
        for key_id, record in load_records(dump, now, wall_now).items():
            known = record.judged(self._limits, now)
            self._records[key_id] = (
                known.with_terms(_terms(self._keys[key_id])) if key_id in self._keys else known
            )
        self._touch_all()

    def statuses(self, now: float) -> tuple[KeyStatus, ...]:
        """Return the status of every configured key, and of removed ones that are still lent, by name."""
        keys = sorted((self._keys | self._gone).values(), key=lambda key: (key.name, key.key_id))
        return tuple(self._status(key, now) for key in keys)

    def next_change(self, now: float) -> float | None:
        """Return when time alone next changes what a configured key may do; None: never.

        Only keys that changed since the last call are examined.
        """
        self._pass_time(now)
        for key_id in self._untimed:
            is_ours = key_id in self._keys
            self._changes_at.set(key_id, min(self._changes(key_id, now), default=None) if is_ours else None)
        self._untimed.clear()
        return self._changes_at.earliest

    def take_news(self, now: float) -> PoolNews:
        """Return who is affected by changes since the last call, caused by events or by time alone."""
        self._pass_time(now)
        holders = {lease.holder for key_id in self._touched for lease in self._book.of(key_id)}
        news = PoolNews(frozenset(holders), self._is_relief)
        self._touched.clear()
        self._is_relief = False
        return news

    # ---- steps

    def _lend(self, key_id: str, holder: str) -> Lease:
        self._forget_worked_out(key_id)
        return self._book.lend(key_id, holder)

    def _keep(self, key_id: str, record: KeyRecord) -> None:
        self._records[key_id] = record
        self._touch(key_id)

    def _touch(self, key_id: str) -> None:
        self._touched.add(key_id)
        self._forget_worked_out(key_id)

    def _forget_worked_out(self, key_id: str) -> None:
        self._untimed.add(key_id)
        self._preferences.pop(key_id, None)

    def _touch_all(self) -> None:
        for key_id in [*self._keys, *self._gone]:
            self._touch(key_id)
        self._changes_at.clear()
        self._set_trial(self._trial)
        self._preferences.clear()
        self._is_relief = True

    def _set_trial(self, trial: Trial) -> None:
        self._is_relief |= trial.due < self._trial.due  # a move may be worthwhile earlier
        self._trial = trial
        self._changes_at.set(_TRIAL, trial.due if trial.due > -math.inf else None)

    def _pass_time(self, now: float) -> None:
        """Record which keys have changed through the passing of time."""
        for name in self._changes_at.take(now):
            self._is_relief = True
            if name != _TRIAL:
                self._touch(name)

    def _record(self, key_id: str) -> KeyRecord:
        return self._records.get(key_id, _BLANK)

    def _without_address(self, usable_addresses: Callable[[str], bool]) -> frozenset[str]:
        return _without_address(self._keys, usable_addresses)

    def _has_free_slot(self, key_id: str, now: float) -> bool:
        if self.state(key_id, now) not in LENDABLE:
            return False
        return len(self._book.of(key_id)) < self._keys[key_id].max_connections

    def _preference(self, key_id: str, now: float) -> _Preference | None:
        """Return the rank of a key with a free slot, None for others; computed once per `now`."""
        if self._preferred_at != now:
            self._preferred_at = now
            self._preferences.clear()
        if key_id not in self._preferences:
            is_free = self._has_free_slot(key_id, now)
            self._preferences[key_id] = self._rank(key_id, now) if is_free else None
        return self._preferences[key_id]

    def _rank(self, key_id: str, now: float) -> _Preference:
        """Rank by shortest wait, then no recent failure, fewest leases, largest budget, name."""
        wait_until = self.may_connect(key_id, Purpose.FRESH, now).not_before
        record, lent = self._record(key_id).settled(now), len(self._book.of(key_id))
        fails, left = record.backoff.last is not None, record.budget.left(self._limits, now)
        name = self._keys[key_id].name
        return (now if wait_until is None else wait_until, fails, lent, -left, name, key_id)

    def _wait(self, key_id: str, now: float) -> KeyWait | None:
        """Return why a lent key may not connect; None when it may, or when waiting does not help."""
        until = self.may_connect(key_id, Purpose.FRESH, now).not_before
        if until is None:
            return None
        backoff = self._record(key_id).settled(now).backoff
        return KeyWait(until - now, until > (backoff.rests_until(now) or now), backoff.last)

    def _changes(self, key_id: str, now: float) -> list[float]:
        record = self._record(key_id)
        rests_until = record.backoff.rests_until(now)
        verdicts = [self.may_connect(key_id, purpose, now).not_before for purpose in Purpose]
        return [at for at in (rests_until, *verdicts) if at is not None]

    def _status(self, key: ApiKey, now: float) -> KeyStatus:
        verdict, record = self.may_connect(key.key_id, Purpose.FRESH, now), self._record(key.key_id)
        return KeyStatus(
            name=key.name,
            key_id=key.key_id,
            state=self.state(key.key_id, now),
            lent=len(self._book.of(key.key_id)),
            max_connections=key.max_connections,
            budget_left=record.budget.left(record.limits(self._limits), now),
            not_before=verdict.not_before,
            source_address=key.source_address,
            hindrance=verdict.hindrance,
            reason=verdict.reason,
            last_error=record.last_error,
            failed_at=record.failed_at,
            last_used_at=record.last_used_at,
        )

    def _forget_blank_records(self, now: float) -> None:
        self._records = {
            key_id: record
            for key_id, record in self._records.items()
            if key_id in self._keys or self._book.of(key_id) or not record.is_blank(self._limits, now)
        }


def _terms(key: ApiKey) -> str:
    """Return a fingerprint of the key's secrets, address and proxy; secrets salt a weak proxy password."""
    parts = (
        key.consumer_key,
        key.consumer_secret,
        key.access_token,
        key.access_token_secret,
        key.bearer_token,
        key.source_address,
        key.proxy,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _change(old: dict[str, ApiKey], new: dict[str, ApiKey], off_host: frozenset[str]) -> PoolChange:
    both = sorted(old.keys() & new.keys(), key=lambda key_id: new[key_id].name)
    return PoolChange(
        added=_names(new, new.keys() - old.keys()),
        removed=_names(old, old.keys() - new.keys()),
        changed=tuple(new[key_id].name for key_id in both if _terms(old[key_id]) != _terms(new[key_id])),
        resized=tuple(
            new[key_id].name for key_id in both if old[key_id].max_connections != new[key_id].max_connections
        ),
        unusable=_names(new, off_host),
    )


def _without_address(keys: Mapping[str, ApiKey], usable_addresses: Callable[[str], bool]) -> frozenset[str]:
    return frozenset(
        key_id
        for key_id, key in keys.items()
        if key.source_address is not None and not usable_addresses(key.source_address)
    )


def _names(keys: dict[str, ApiKey], key_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(keys[key_id].name for key_id in key_ids))
