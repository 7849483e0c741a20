"""The next request of a sync, decided from what stands in the app; pure.

New filters are added before old ones are deleted, and an old one goes when all that is still wanted of it
is in effect elsewhere; where X refuses what was to replace it, it stays. Only where there is no room at all
do old ones go first. A suffix that no filter has yet is tried on one filter, before the others get it. Each
step depends on what stands in the app alone, so a sync that is interrupted anywhere is taken up by the next
look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from traptor.supervisor.filters.sync.difference import FilterDifference, difference
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal, subjects, subjects_of, suffix_of
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import NewFilter

BATCH = 100  # X says no most; this keeps a request near 100 KB


@dataclass(frozen=True, slots=True)
class ListFilters:
    """List the filters."""


@dataclass(frozen=True, slots=True)
class Add:
    """Add filters."""

    filters: tuple[NewFilter, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete filters."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaitForEffect:
    """Ask again at a time: what was changed is not in effect yet."""

    until: float


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing can be done now; `unplaced` wanted values found no room."""

    unplaced: tuple[str, ...] = ()


Step = ListFilters | Add | Delete | WaitForEffect | Settled


def next_step(standing: Standing, goal: Goal, now: float, found: FilterDifference | None = None) -> Step:
    """Return what to do next; `found` is the difference, where the caller knows it."""
    if not standing.is_fresh:
        return ListFilters()
    found = found if found is not None else difference(standing, goal, now)
    if found.foreign and goal.policy is ForeignFilters.REFUSE:
        return Settled()
    room = standing.room(goal.capacity, now)
    if found.missing and room:
        return Add(tuple(_tagged(_batch(found, standing)[:room], standing, goal)))
    deletable, effects = _deletable(found, standing, now)
    if deletable:
        return Delete(tuple(one.id for one in deletable[:BATCH]))
    if effects:
        return WaitForEffect(min(effects))
    forced = _not_left_alone(_without_kept(found), standing, now) if found.missing else []
    if forced:
        return Delete(tuple(one.id for one in forced[: len(_batch(found, standing))]))
    return _rest(found, standing, now)


def _rest(found: FilterDifference, standing: Standing, now: float) -> Step:
    later = [at for one in found.surplus if (at := standing.left_alone.get(one.id, now)) > now]
    return WaitForEffect(min(later)) if later else Settled(found.missing)


def _batch(found: FilterDifference, standing: Standing) -> Sequence[str]:
    """Return what to add together: parts of refused batches first, then values that X took before.

    A suffix may be wrong, and all filters with it: one that none has is tried on one filter alone.
    """
    missing = found.missing
    wanted = set(missing)
    for split in standing.splits:
        if part := [value for value in split if value in wanted]:
            return part[:BATCH]
    if known := [value for value in missing if standing.was_taken(value)]:
        return known[:BATCH]
    if not any(map(suffix_of, missing)):
        return missing[:BATCH]
    tried = {"", *map(suffix_of, found.carried)}
    return [value for value in missing if suffix_of(value) in tried][:BATCH] or missing[:1]


def _without_kept(found: FilterDifference) -> Sequence[ListedFilter]:
    kept = {one.id for one in found.kept}
    return [one for one in found.surplus if one.id not in kept] if kept else found.surplus


def _deletable(
    found: FilterDifference, standing: Standing, now: float
) -> tuple[list[ListedFilter], list[float]]:
    """Return the surplus that nobody misses, and when the filters take effect that the rest waits for."""
    surplus = _not_left_alone(_without_kept(found), standing, now)
    if not surplus:
        return [], []
    about = subjects_of(one.value for one in surplus)
    pending = found.carried_by(standing.pending(now))
    coming = {value: key for value, key in pending.items() if not subjects(value).isdisjoint(about)}
    needed = subjects_of([*found.missing, *coming]) & about
    if needed:
        needed -= subjects_of(value for value in found.carried if value not in coming)
    effect_of = {
        subject: standing.effect_at[key] for value, key in coming.items() for subject in subjects(value)
    }
    deletable: list[ListedFilter] = []
    effects: list[float] = []
    for one in surplus:
        missed = subjects(one.value) & needed
        if not missed:
            deletable.append(one)
        effects += [effect_of[subject] for subject in missed if subject in effect_of]
    return deletable, effects


def _not_left_alone(surplus: Sequence[ListedFilter], standing: Standing, now: float) -> list[ListedFilter]:
    return [one for one in surplus if standing.left_alone.get(one.id, now) <= now]


def _tagged(values: Sequence[str], standing: Standing, goal: Goal) -> Iterator[NewFilter]:
    """Yield the filters with tags that no other one has."""
    used = {one.tag for one in standing.filters.values()}
    numbers: dict[str, Iterator[int]] = {}
    for value in values:
        group = goal.groups[value]
        # Counting from 1 would try the tags of all filters that stand there.
        after = numbers.setdefault(group, count(1 + len(used)))
        tags = (f"{goal.prefix}{group}/{number}" for number in after)
        yield NewFilter(value, next(tag for tag in tags if tag not in used))
