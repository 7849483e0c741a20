"""The records of all keys, by key_id: told of every connect and its outcome, kept over restarts. Pure."""

from __future__ import annotations

import random
from collections.abc import Container, Iterable
from typing import Any

from traptor.common.config.keys.key import ApiKey
from traptor.common.messages import DisconnectKind
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.dump import RecordDump, load_records
from traptor.supervisor.keys.conduct.failures import LASTING_S, Failure
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.conduct.record import KeyRecord
from traptor.supervisor.keys.failover import Trials
from traptor.supervisor.keys.news import News
from traptor.supervisor.keys.ring import terms_of

_BLANK = KeyRecord()  # of a key with no history


class KeyRecords:
    """Remembers what the server would hold against each key, and notes each change in the news."""

    def __init__(self, limits: PoolLimits, rng: random.Random, news: News, trials: Trials) -> None:
        self.limits = limits
        self._rng = rng
        self._news = news
        self._trials = trials
        self._records: dict[str, KeyRecord] = {}
        self._dump = RecordDump()

    def of(self, key_id: str) -> KeyRecord:
        """Return the record of a key; a blank one where nothing is known of it."""
        return self._records.get(key_id, _BLANK)

    def budget_free_at(self, key_id: str, purpose: Purpose, now: float) -> float:
        """Return the earliest time, not before `now`, at which the key's budget has a connect left."""
        return self.of(key_id).budget.free_at(purpose, self.limits, now)

    # ---- connects

    def spend(self, key_id: str, now: float) -> None:
        """Count a connect; call this when the permission is given, not when the outcome is known."""
        self._records[key_id] = self.of(key_id).spent(self.limits, now)
        self._news.used(key_id)

    def refund(self, key_id: str) -> None:
        """Take back the latest connect, which never reached the server (docs/decisions/0004)."""
        self._keep(key_id, self.of(key_id).refunded())

    def connected(self, key_id: str, now: float) -> None:
        """Record a 200. It clears nothing yet: a stream is a success once it has lasted LASTING_S."""
        self._keep(key_id, self.of(key_id).connected(now))
        self._trials.connected(now)

    def stream_ended(self, key_id: str, now: float, streamed_for_s: float, kind: DisconnectKind) -> None:
        """Record the end of an open stream, `streamed_for_s` from its 200 to its last byte.

        Before LASTING_S that is a failure, unless we closed it. In an overlap we ended the older stream,
        whoever closed the socket: report it as OWN_CLOSE.
        """
        record = self.of(key_id)
        self._keep(key_id, record.stream_ended(streamed_for_s, kind, now, self.limits, self._rng))
        if streamed_for_s < LASTING_S and Failure.of_short_stream(kind) is not None:
            self._trials.closed(now)

    def streams_over(self, key_id: str, now: float) -> None:
        """Record that nobody holds the key any more: it certainly has no stream."""
        self._records[key_id] = self.of(key_id).without_streams(self.limits, now)

    def failed(self, key_id: str, now: float, failure: Failure) -> None:
        """Record a connect answered with another status than 200, or not at all."""
        self._keep(key_id, self.of(key_id).failed(failure, now, self.limits, self._rng))

    def told(
        self, key_id: str, limit: int | None, remaining: int | None, reset_at: float | None, now: float
    ) -> None:
        """Record what the server announced of its own limit of connects; the smaller of both counts."""
        self._keep(key_id, self.of(key_id).told(limit, remaining, reset_at, now))

    def slot_freed(self, key_id: str) -> None:
        """Record that the app's connection, which was taken, is free: a connect is due at once."""
        self._keep(key_id, self.of(key_id).slot_freed())

    def overlap_refused(self, key_id: str) -> None:
        """Record that the server refused the second connection (420/429); report that to `failed` too."""
        self._keep(key_id, self.of(key_id).overlap_refused())

    def overlap_worked(self, key_id: str) -> None:
        """Record that the second connection streams: earlier refusals had other reasons."""
        self._keep(key_id, self.of(key_id).overlap_worked())

    # ---- other events

    def release(self, key_id: str) -> None:
        """End the rests, the quarantine and the suspicion of a key; its budget stays as it is."""
        self._keep(key_id, self.of(key_id).released())
        self._news.relieved()

    def configured(self, keys: Iterable[ApiKey]) -> None:
        """Record what these keys are now; other secrets, another address or proxy end a quarantine."""
        for key in keys:
            self._records[key.key_id] = self.of(key.key_id).with_terms(terms_of(key))

    # ---- what is kept

    def dump(self, now: float, wall_now: float) -> dict[str, Any]:
        """Return all records as plain JSON values with wall-clock times; no secrets."""
        return self._dump.of(self._records, now, wall_now)

    def load(self, dump: dict[str, Any], now: float, wall_now: float) -> None:
        """Restore the result of `dump`. Raises TraptorError, and restores nothing, if it has another form."""
        loaded = load_records(dump, now, wall_now)
        self._records |= {key_id: record.judged(self.limits, now) for key_id, record in loaded.items()}

    def forget_blank(self, known: Container[str], now: float) -> None:
        """Forget the records without a story of keys that are not known any more."""
        self._records = {
            key_id: record
            for key_id, record in self._records.items()
            if key_id in known or not record.is_blank(self.limits, now)
        }

    def strangers(self, known: Container[str]) -> frozenset[str]:
        """Return the keys with a record that are not known any more."""
        return frozenset(key_id for key_id in self._records if key_id not in known)

    def is_free(self, key_id: str, now: float) -> bool:
        """Tell whether no connect of the key counts any more, and nothing keeps it from connecting."""
        return self.of(key_id).is_free(self.limits, now)

    def forget(self, key_ids: Iterable[str]) -> None:
        """Forget all of these keys."""
        for key_id in key_ids:
            self._records.pop(key_id, None)

    def _keep(self, key_id: str, record: KeyRecord) -> None:
        self._records[key_id] = record
        self._news.changed(key_id)
