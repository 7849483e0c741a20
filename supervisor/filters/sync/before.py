"""What stands at X, as the composition that the next one begins with: nothing of it is stored here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from traptor.supervisor.filters.composition import Demand, Filter
from traptor.supervisor.filters.language.reading import FilterValue
from traptor.supervisor.filters.sync.goal import Goal, read_value
from traptor.supervisor.filters.sync.standing import Standing


def filters_before(standing: Standing, goal: Goal, demands: Sequence[Demand]) -> tuple[Filter, ...]:
    """Return our filters that say anything wanted, each for the group that wants most of it.

    `goal` tells whose a filter is; its values do not matter. Filters that say nothing unwanted come first:
    where a sync was interrupted, they are its new ones, and the rest are those that they replace. Otherwise
    filters are in the order of their ids, so that two masters compose alike.
    """
    by_clause: dict[object, list[Demand]] = {}
    for demand in demands:
        for clause in demand.clauses:
            by_clause.setdefault(clause, []).append(demand)
    ours = {one.value: key for key, one in standing.filters.items() if goal.owns(one.tag, one.value)}
    written = {key: value for value, key in standing.same_as.items()}
    found: list[Filter] = []
    for value, key in sorted(ours.items(), key=lambda item: (len(item[1]), item[1])):
        read = read_value(written.get(key, value))
        wanting = _most_wanting(read, by_clause) if read is not None else None
        if read is not None and wanting is not None:
            found.append(Filter(wanting.group, read.clauses, read.suffix))
    return tuple(sorted(found, key=lambda one: not by_clause.keys() >= set(one.clauses)))


def _most_wanting(read: FilterValue, by_clause: dict[object, list[Demand]]) -> Demand | None:
    """Return the demand for most of the clauses; one with the same suffix comes first."""
    wanting = Counter(demand.group for clause in read.clauses for demand in by_clause.get(clause, ()))
    demands = {demand.group: demand for clause in read.clauses for demand in by_clause.get(clause, ())}
    return max(
        demands.values(), key=lambda one: (one.suffix == read.suffix, wanting[one.group]), default=None
    )
