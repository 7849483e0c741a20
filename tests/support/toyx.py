"""The filters of an app at X, and what X answers to changes of them, without a network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.filters.sync.steps import Add, Delete, ListFilters, Step
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import BatchAnswer, NewFilter


@dataclass
class ToyX:
    """Takes batches whole or in part, and names the values that it refuses, or not."""

    bad: frozenset[str] = frozenset()
    takes_part: bool = True
    names: bool = True
    filters: dict[str, ListedFilter] = field(default_factory=dict)
    most: int = 0  # the most filters that ever stood there
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(100))

    def put(self, value: str, tag: str | None) -> ListedFilter:
        one = ListedFilter(str(next(self._ids)), value, tag)
        self.filters[one.id] = one
        self.most = max(self.most, len(self.filters))
        return one

    @property
    def values(self) -> list[str]:
        return [one.value for one in self.filters.values()]

    def carry_out(self, step: Step, standing: Standing, now: float) -> Standing:
        """Do what is asked; returns what is known after the answer."""
        match step:
            case ListFilters():
                return standing.listed(list(self.filters.values()), now)
            case Add(filters):
                return standing.added([one.value for one in filters], self.add(filters), now)
            case Delete(ids):
                return standing.deleted(ids, now, found_all=self.delete(ids))
        raise AssertionError(step)

    def delete(self, ids: Sequence[str]) -> bool:
        found = [self.filters.pop(key, None) is not None for key in ids]
        return all(found)

    def add(self, sent: Sequence[NewFilter]) -> BatchAnswer:
        by_value = {one.value: key for key, one in self.filters.items()}
        existing = {one.value: by_value[one.value] for one in sent if one.value in by_value}
        refused = {one.value: "no" for one in sent if one.value in self.bad}
        good = [one for one in sent if one.value not in existing and one.value not in refused]
        if refused and not self.takes_part:
            good = []
        taken = {one.value: self.put(one.value, one.tag) for one in good}
        if not self.names and refused:
            return BatchAnswer(taken, {}, {}, "no")
        return BatchAnswer(taken, existing, refused)
