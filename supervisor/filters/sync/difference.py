"""The difference, by value, between what stands in an app and what should."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property

from traptor.supervisor.filters.sync.goal import Goal
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.xapi.answers import ListedFilter


@dataclass(frozen=True)
class FilterDifference:
    """What a look finds."""

    missing: tuple[str, ...] = field(repr=False)  # wanted values that can be added
    refused: Mapping[str, str]  # wanted values that X does not take, with the reason
    surplus: tuple[ListedFilter, ...] = field(repr=False)  # ours, and not wanted
    foreign: tuple[ListedFilter, ...]  # not ours, and not wanted
    _standing: Standing = field(repr=False)
    _goal: Goal = field(repr=False)

    @cached_property
    def carried(self) -> Mapping[str, str]:
        """The filter's id by wanted value."""
        by_value = self._standing.by_value
        plain = {value: by_value[value] for value in self._goal.groups if value in by_value}
        return {**plain, **_in_other_words(self._standing, self._goal)}


def difference(standing: Standing, goal: Goal, now: float) -> FilterDifference:
    """Compare. A filter with a wanted value carries it, whosever it is."""
    wanted, filters = goal.groups, standing.filters
    others = _in_other_words(standing, goal)
    missing: list[str] = []
    refused: dict[str, str] = {}
    for value in _in_order(wanted, wanted.keys() - standing.by_value.keys() - others.keys()):
        refusal = standing.refused.get(value)
        if refusal is not None and refusal.until > now:
            refused[value] = refusal.reason
        else:
            missing.append(value)
    ours: list[ListedFilter] = []
    foreign: list[ListedFilter] = []
    for key in _in_order(filters, _unwanted(standing, goal) - set(others.values())):
        one = filters[key]
        (ours if goal.owns(one.tag, one.value) else foreign).append(one)
    return FilterDifference(tuple(missing), refused, tuple(ours), tuple(foreign), standing, goal)


def _in_other_words(standing: Standing, goal: Goal) -> dict[str, str]:
    """Return the wanted values that stand there as X writes them, each with the filter's id."""
    return {
        value: key
        for value, key in standing.same_as.items()
        if value in goal.groups and value not in standing.by_value and key in standing.filters
    }


def _unwanted(standing: Standing, goal: Goal) -> set[str]:
    """Return the ids of filters whose own value is not wanted, or is that of another one too."""
    by_value = standing.by_value
    found = {by_value[value] for value in by_value.keys() - goal.groups.keys()}
    if len(by_value) < len(standing.filters):
        found |= standing.filters.keys() - by_value.values()
    return found


def _in_order(all_of_them: Iterable[str], some: AbstractSet[str]) -> list[str]:
    return [one for one in all_of_them if one in some] if some else []
