"""The difference, by value, between what stands in an app and what should."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from traptor.supervisor.filters.sync.goal import Goal, subjects, subjects_of, suffix_of
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.filters.sync.suffixes import wrong_suffixes
from traptor.supervisor.xapi.answers import ListedFilter


@dataclass(frozen=True)
class FilterDifference:
    """What a look finds."""

    missing: tuple[str, ...] = field(repr=False)  # wanted values that can be added
    refused: Mapping[str, str]  # wanted values that X does not take, with the reason
    surplus: tuple[ListedFilter, ...] = field(repr=False)  # ours, and not wanted
    foreign: tuple[ListedFilter, ...]  # not ours, and not wanted
    standing: Standing = field(repr=False)
    goal: Goal = field(repr=False)
    until: float = math.inf  # when it ends to be true: a refused value is tried again

    @property
    def is_carried(self) -> bool:
        """True when at least one wanted value has a filter."""
        return len(self.missing) + len(self.refused) < len(self.goal.groups)

    @cached_property
    def kept(self) -> Sequence[ListedFilter]:
        """The surplus that stays, since X refused what was to replace it, and nothing else does."""
        denied = self.goal.denied | subjects_of(self.refused)
        if not denied:
            return ()
        about = denied - subjects_of(self.carried)
        return [one for one in self.surplus if not subjects(one.value).isdisjoint(about)]

    @cached_property
    def carried(self) -> Mapping[str, str]:
        """The filter's id by wanted value."""
        by_value = self.standing.by_value
        plain = {value: by_value[value] for value in self.goal.groups if value in by_value}
        return {**plain, **_in_other_words(self.standing, self.goal)}

    def carried_by(self, filter_ids: Collection[str]) -> Mapping[str, str]:
        """Return those of these filters that carry wanted values, by value."""
        standing, wanted = self.standing, self.goal.groups
        plain = ((standing.filters[key].value, key) for key in filter_ids)
        found = {value: key for value, key in plain if value in wanted and standing.by_value[value] == key}
        others = _in_other_words(standing, self.goal).items()
        return found | {value: key for value, key in others if key in filter_ids}


def difference(standing: Standing, goal: Goal, now: float) -> FilterDifference:
    """Compare. A filter with a wanted value carries it, whosever it is.

    Values with a suffix that X takes with no clause count as refused.
    """
    wanted, by_value = goal.groups, standing.by_value
    others = _in_other_words(standing, goal)
    missing: list[str] = []
    refused: dict[str, str] = {}
    for value in [value for value in wanted if value not in by_value and value not in others]:
        refusal = standing.refused.get(value)
        if refusal is not None and refusal.until > now:
            refused[value] = refusal.reason
        else:
            missing.append(value)
    if missing and standing.refused:
        missing = _without_wrong(missing, refused, standing, now)
    ours: list[ListedFilter] = []
    foreign: list[ListedFilter] = []
    carrying = set(others.values())
    for one in _unwanted(standing, goal):
        if one.id not in carrying:
            (ours if goal.owns(one.tag, one.value) else foreign).append(one)
    until = min((one.until for one in standing.refused.values() if one.until > now), default=math.inf)
    return FilterDifference(tuple(missing), refused, tuple(ours), tuple(foreign), standing, goal, until)


def _without_wrong(missing: list[str], refused: dict[str, str], standing: Standing, now: float) -> list[str]:
    """Return the missing values whose suffix X may take; the others go to `refused`."""
    if not (wrong := wrong_suffixes(standing.refusals(now), standing, {})):
        return missing
    refused |= {value: why for value in missing if (why := wrong.get(suffix_of(value)))}
    return [value for value in missing if value not in refused]


def _in_other_words(standing: Standing, goal: Goal) -> dict[str, str]:
    """Return the wanted values that stand there as X writes them, each with the filter's id."""
    return {
        value: key
        for value, key in standing.same_as.items()
        if value in goal.groups and value not in standing.by_value and key in standing.filters
    }


def _unwanted(standing: Standing, goal: Goal) -> list[ListedFilter]:
    """Return the filters whose own value is not wanted, or is that of an earlier one too."""
    wanted, filters, by_value = goal.groups, standing.filters, standing.by_value
    if len(by_value) == len(filters):
        return [one for one in filters.values() if one.value not in wanted]
    return [one for one in filters.values() if one.value not in wanted or by_value[one.value] != one.id]
