"""Measure what an app with many filters costs the master: composing them, and one changed rule.

Nothing is sent: answers are what X would give. CPU time of the one thread.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from benchmarks.figures import Effort, Figure
from benchmarks.rules import track_rules
from traptor.common.config.keys.key import ApiKey
from traptor.common.knowledge import Knowledge
from traptor.common.pieces import change_to, cut
from traptor.supervisor.apps.facts import Facts
from traptor.supervisor.apps.filtering import Filtering
from traptor.supervisor.apps.settings import AppSettings
from traptor.supervisor.apps.wanted.composed import AppLimits, composed
from traptor.supervisor.apps.wanted.translated import Translated, Wording, translated
from traptor.supervisor.filters.sync.standing import EFFECT_S, KNOWN_AFTER_S
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.state.store import StateStore
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import BatchAnswer, NewFilter
from traptor.supervisor.xapi.client import PageOfFilters, XClient
from traptor.supervisor.xapi.quota import Quota

_FILTERS = 25_000
_LENGTH = 2_048
_MOST_COMPOSE_S = 1.0
_MOST_CHANGE_MS = 200.0
_NEVER_S = 1e9


def many_filters(effort: Effort) -> list[Figure]:
    """Measure the largest contract: as many filters as it allows, each of one track rule."""
    count = _FILTERS // effort.scale
    anew, changes = [], []
    with tempfile.TemporaryDirectory() as folder, StateStore(Path(folder) / "state.db") as store:
        app = _App(count, store)
        for number in range(effort.rounds):
            anew.append(_cpu_s(app.compose_anew))
            snapshot = app.changed(number)
            gc.freeze()  # as the master does with what it read at its start
            changes.append(1000 * _cpu_s(lambda snapshot=snapshot: app.take(snapshot)))
            gc.unfreeze()
    about = f"{count:,} filters"
    return [
        Figure.of("many_filters", f"{about}: composing them anew", "s", anew, at_most=_MOST_COMPOSE_S),
        Figure.of("many_filters", f"{about}: one changed rule", "ms", changes, at_most=_MOST_CHANGE_MS),
    ]


class _X:
    """An app at X: takes everything, and answers at once."""

    def __init__(self) -> None:
        self._ids = map(str, itertools.count(10**18))
        self._filters: dict[str, ListedFilter] = {}

    async def filter_page(self, _token: str = "") -> PageOfFilters:
        """Return all filters on one page."""
        return PageOfFilters(tuple(self._filters.values()), "", Quota())

    async def add(self, filters: Sequence[NewFilter]) -> tuple[BatchAnswer, Quota]:
        """Take all."""
        taken = {one.value: ListedFilter(next(self._ids), one.value, one.tag) for one in filters}
        self._filters |= {one.id: one for one in taken.values()}
        return BatchAnswer(taken), Quota()

    async def delete(self, ids: Sequence[str]) -> tuple[bool, Quota]:
        """Delete all."""
        for key in ids:
            del self._filters[key]
        return True, Quota()


class _App:
    """An app whose filters all stand at X, and a worker that is told of them."""

    def __init__(self, count: int, store: StateStore) -> None:
        self._limits = AppLimits("default", filters=count + count // 10 + 20, length=_LENGTH)
        self._more = iter(track_rules(2 * count, seed=2)[count:])
        self._rules = track_rules(count)
        self._x = cast(XClient, _X())
        self._now = 1e6
        settings = AppSettings(self._limits, look_s=_NEVER_S)
        facts = Facts(ApiKey("one", bearer_token="made-up-token"), store)
        self._filtering = Filtering("one", settings, self._x, self._clock, facts)
        self._translated: Translated | None = None
        self._told = Knowledge()
        self._changes = 0
        self.take(self._snapshot())

    def compose_anew(self) -> None:
        """Compose from what stands at X, as a new master does."""
        composed(self._filtering.groups or (), self._limits, self._filtering.standing, self._now)

    def changed(self, number: int) -> Snapshot:
        """Replace one rule."""
        self._rules[number] = next(self._more)
        return self._snapshot()

    def take(self, snapshot: Snapshot) -> None:
        """Do all that follows, until new filters are in effect and old ones forgotten."""
        self._translated = translated(snapshot, Wording(), self._translated)
        self._filtering.serve([self._translated])
        while True:
            asyncio.run(self._filtering.bring(self._x))
            self._filtering.note()
            self._tell()
            due = self._filtering.due()
            if due > self._now + EFFECT_S + KNOWN_AFTER_S + 900.0:
                return
            self._now = max(due, self._now)

    def _tell(self) -> None:
        knowledge, before = self._filtering.knowledge, self._told
        if knowledge is not before:
            self._changes += 1
            list(cut(self._changes, change_to(knowledge, before)))
            self._told = knowledge

    def _snapshot(self) -> Snapshot:
        return Snapshot.of(self._rules[0].group, self._rules, self._now)

    def _clock(self) -> Instant:
        return Instant(self._now, self._now)


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
