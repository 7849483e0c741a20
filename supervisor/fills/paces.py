"""Keep the pace of each app's searches in state_dir, so that no restart makes X refuse them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.apps.facts import AppStore, Facts
from traptor.supervisor.fills.pieces.pace import Pace, load_pace
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.xapi.quota import Quota

_KIND = "searches"  # of facts


class Paces:
    """Owns the pace of each app, by its key."""

    def __init__(self, store: AppStore, clock: Callable[[], Instant]) -> None:
        self._store = store
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._facts: dict[str, Facts] = {}

    def due(self, key: ApiKey) -> float:
        """Return when the app may be asked for a search (monotonic seconds)."""
        return self._of(key).next_at()

    def made(self, key: ApiKey) -> None:
        """Count a search, before it is made."""
        self._of(key).made(self._clock().mono)
        self._save(key.key_id)

    def answered(self, key: ApiKey, quota: Quota) -> None:
        """Take note of the answer to a search, and of what X announced with it."""
        now, pace = self._clock(), self._of(key)
        pace.answered(now.mono)
        pace.told(quota.remaining, None if quota.reset_at is None else now.mono + quota.reset_at - now.wall)
        self._save(key.key_id)

    def _of(self, key: ApiKey) -> Pace:
        if key.key_id not in self._paces:
            facts = self._facts[key.key_id] = Facts(key, self._store)
            self._paces[key.key_id] = Pace()
            facts.load(_KIND, lambda dump: self._take(key.key_id, dump))
        return self._paces[key.key_id]

    def _take(self, key_id: str, dump: dict[str, Any]) -> None:
        now = self._clock()
        self._paces[key_id] = load_pace(dump, now.mono, now.wall)

    def _save(self, key_id: str) -> None:
        now = self._clock()
        self._facts[key_id].save(_KIND, self._paces[key_id].dump(now.mono, now.wall))
