"""The filters of one app: which stand in its list, and which are in effect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

from traptor.sandbox.clock import Instant
from traptor.sandbox.v2.language.facts import Facts
from traptor.sandbox.v2.language.index import FilterIndex
from traptor.sandbox.v2.language.rule import Rule


@dataclass(slots=True, eq=False)
class Filter:
    """One filter and its times in unix seconds."""

    id: str
    rule: Rule
    tag: str | None
    added_at: float
    in_effect_at: float
    deleted_at: float | None = None
    gone_at: float | None = None  # from then on it matches nothing

    @property
    def value(self) -> str:
        """The text that the client gave."""
        return self.rule.value

    def as_listed(self) -> dict[str, str]:
        """Return the filter as X lists it; a filter without a tag has no such member."""
        listed = {"id": self.id, "value": self.value}
        return listed | {"tag": self.tag} if self.tag else listed

    def as_json(self) -> dict[str, Any]:
        """Return the filter with its times, as the sandbox's own API shows it."""
        return {
            "id": self.id,
            "value": self.value,
            "tag": self.tag,
            "added_at": self.added_at,
            "in_effect_at": self.in_effect_at,
            "deleted_at": self.deleted_at,
            "gone_at": self.gone_at,
        }


@dataclass(order=True, slots=True)
class _Change:
    due_mono: float
    number: int
    filter: Filter = field(compare=False)
    is_addition: bool = field(compare=False)


class FilterSet:
    """Accepts changes at once, and puts them into effect after a while."""

    def __init__(self) -> None:
        self._listed: dict[str, Filter] = {}
        self._by_value: dict[str, Filter] = {}
        self._in_effect: dict[str, Filter] = {}
        self._index = FilterIndex()
        self._changes: list[_Change] = []
        self._numbers = count()
        self.record: list[Filter] = []

    def __len__(self) -> int:
        return len(self._listed)

    def listed(self) -> list[Filter]:
        """Return the listed filters, the oldest first."""
        return list(self._listed.values())

    def get(self, filter_id: str) -> Filter | None:
        """Return the filter with this id."""
        return self._listed.get(filter_id)

    def with_value(self, value: str) -> Filter | None:
        """Return the filter with this value."""
        return self._by_value.get(value)

    def add(self, filter_id: str, rule: Rule, tag: str | None, now: Instant, effect_s: float) -> Filter:
        """List a filter; it takes effect `effect_s` later."""
        one = Filter(filter_id, rule, tag, now.unix, now.unix + effect_s)
        self._listed[filter_id] = self._by_value[rule.value] = one
        self.record.append(one)
        self._change(one, now.mono + effect_s, is_addition=True)
        return one

    def remove(self, filters: Iterable[Filter], now: Instant, effect_s: float) -> None:
        """Remove filters from the list; they match posts for another `effect_s`."""
        for one in filters:
            del self._listed[one.id]
            del self._by_value[one.value]
            one.deleted_at, one.gone_at = now.unix, now.unix + effect_s
            self._change(one, now.mono + effect_s, is_addition=False)

    def vanish(self, now: Instant) -> int:
        """Forget all filters at once, in effect or not; return how many were listed."""
        count_ = len(self)
        for one in {**self._listed, **self._in_effect}.values():
            one.deleted_at = one.deleted_at or now.unix
            one.gone_at = now.unix
        self._listed, self._by_value, self._in_effect = {}, {}, {}
        self._index, self._changes = FilterIndex(), []
        return count_

    def is_silent(self, now_mono_s: float) -> bool:
        """Tell whether no filter is in effect."""
        self._advance(now_mono_s)
        return not self._in_effect

    def matching(self, facts: Facts, now_mono_s: float) -> list[tuple[str, str | None]]:
        """Return id and tag of the filters in effect that match the post."""
        self._advance(now_mono_s)
        return [(name, self._in_effect[name].tag) for name in self._index.matching(facts)]

    def _change(self, one: Filter, due_mono_s: float, is_addition: bool) -> None:
        heappush(self._changes, _Change(due_mono_s, next(self._numbers), one, is_addition))

    def _advance(self, now_mono_s: float) -> None:
        while self._changes and self._changes[0].due_mono <= now_mono_s:
            change = heappop(self._changes)
            if change.is_addition:
                self._in_effect[change.filter.id] = change.filter
                self._index.add(change.filter.id, change.filter.rule)
            else:
                self._in_effect.pop(change.filter.id, None)
                self._index.remove(change.filter.id)
