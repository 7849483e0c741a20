"""Measure what an app with many filters costs the master: composing them, and one changed rule.

Nothing is sent: answers are what X would give. CPU time of the one thread.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Sequence

from benchmarks.figures import Effort, Figure
from benchmarks.rules import track_rules
from traptor.common.rules.rule import Rule
from traptor.supervisor.apps.wanted.composed import AppLimits, Composed, composed
from traptor.supervisor.apps.wanted.effect import in_effect
from traptor.supervisor.apps.wanted.translated import Translated, Wording, translated
from traptor.supervisor.filters.sync.difference import difference
from traptor.supervisor.filters.sync.meanings import Meanings, meanings
from traptor.supervisor.filters.sync.standing import EFFECT_S, Standing
from traptor.supervisor.filters.sync.steps import Add, Delete, WaitForEffect, next_step
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import BatchAnswer

_FILTERS = 25_000
_LENGTH = 2_048
_MOST_COMPOSE_S = 1.0
_MOST_CHANGE_MS = 200.0


def many_filters(effort: Effort) -> list[Figure]:
    """Measure the largest contract: as many filters as it allows, each of one track rule."""
    count = _FILTERS // effort.scale
    app = _App(count)
    anew, changes = [], []
    for number in range(effort.rounds):
        anew.append(_cpu_s(lambda: app.compose(None)))
        gc.freeze()  # as the master does with what it read at its start
        changes.append(1000 * _cpu_s(lambda number=number: app.change(number)))
        gc.unfreeze()
    about = f"{count:,} filters"
    return [
        Figure.of("many_filters", f"{about}: composing them anew", "s", anew, at_most=_MOST_COMPOSE_S),
        Figure.of("many_filters", f"{about}: one changed rule", "ms", changes, at_most=_MOST_CHANGE_MS),
    ]


class _App:
    """An app whose filters all stand at X."""

    def __init__(self, count: int) -> None:
        self._limits = AppLimits("default", filters=count + count // 10 + 20, length=_LENGTH)
        self._ids = map(str, itertools.count(10**18))
        self._more = iter(track_rules(2 * count, seed=2)[count:])
        self._rules = track_rules(count)
        self._group = _translated(self._rules)
        self._standing = Standing(is_fresh=True)
        self._meanings = Meanings()
        self._now = 0.0
        self._composed = self.compose(None)
        self._sync()
        self._now += EFFECT_S
        self._tell()

    def compose(self, before: Composed | None) -> Composed:
        """Compose from what was composed `before`, or from what stands at X."""
        filters = before.composition.filters if before is not None else None
        return composed([self._group], self._limits, self._standing, self._now, filters)

    def change(self, number: int) -> None:
        """Replace one rule, until its filter is in effect and the old one gone."""
        self._rules[number] = next(self._more)
        self._group = _translated(self._rules)
        self._composed = self.compose(self._composed)
        self._sync()

    def _sync(self) -> None:
        while True:
            found = difference(self._standing, self._composed.goal, self._now)
            step = next_step(self._standing, self._composed.goal, self._now, found)
            match step:
                case Add(filters):
                    taken = {one.value: ListedFilter(next(self._ids), one.value, one.tag) for one in filters}
                    values = [one.value for one in filters]
                    self._standing = self._standing.added(values, BatchAnswer(taken), self._now)
                case Delete(ids):
                    self._standing = self._standing.deleted(ids, self._now, found_all=True)
                case WaitForEffect(until):
                    self._now = until
                    self._tell()
                case _:
                    self._tell()
                    return

    def _tell(self) -> None:
        """Work out what workers are told, as after each run of a sync."""
        in_effect([self._group], self._standing, self._now)
        wanted = self._composed
        self._meanings = meanings(self._standing, wanted.goal, wanted.demands, self._meanings, self._now)


def _translated(rules: Sequence[Rule]) -> Translated:
    return translated(Snapshot.of(rules[0].group, rules, 0.0), Wording())


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
