"""The difference, by value, between what stands in an app and what should."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from traptor.supervisor.filters.sync.goal import Goal
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.xapi.answers import ListedFilter


@dataclass(frozen=True)
class Difference:
    """What a look finds."""

    carried: Mapping[str, str] = field(repr=False)  # the filter's id by wanted value
    missing: tuple[str, ...] = field(repr=False)  # wanted values that can be added
    refused: Mapping[str, str]  # wanted values that X does not take, with the reason
    surplus: tuple[ListedFilter, ...] = field(repr=False)  # ours, and not wanted
    foreign: tuple[ListedFilter, ...]  # not ours, and not wanted


def difference(standing: Standing, goal: Goal, now: float) -> Difference:
    """Compare. A filter with a wanted value carries it, whosever it is."""
    by_value = {one.value: one.id for one in reversed([*standing.filters.values()])}
    carried: dict[str, str] = {}
    missing: list[str] = []
    refused: dict[str, str] = {}
    for value in goal.groups:
        key = by_value.get(value) or standing.same_as.get(value, "")
        if key in standing.filters:
            carried[value] = key
        elif (refusal := standing.refused.get(value)) is not None and refusal.until > now:
            refused[value] = refusal.reason
        else:
            missing.append(value)
    used = set(carried.values())
    ours: list[ListedFilter] = []
    foreign: list[ListedFilter] = []
    for key, one in standing.filters.items():
        if key not in used:
            (ours if goal.owns(one.tag, one.value) else foreign).append(one)
    return Difference(carried, tuple(missing), refused, tuple(ours), tuple(foreign))
