"""The clauses that the filters in effect say; only what changed since another time is read. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.sync.goal import read_value
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.xapi.answers import ListedFilter

_Counts = dict[str, Counter[Clause]]  # by suffix, the number of filters that say a clause


@dataclass(frozen=True)
class Said:
    """The filters in effect, and what they say."""

    filters: Mapping[str, ListedFilter] = field(default_factory=dict, repr=False)
    _counts: Mapping[str, Counter[Clause]] = field(default_factory=dict, repr=False)

    def by(self, suffix: str) -> Mapping[Clause, int]:
        """Return the clauses that are said with a suffix."""
        return self._counts.get(suffix, Counter())

    def after(self, filters: Mapping[str, ListedFilter]) -> tuple[Said, frozenset[Clause]]:
        """Return what is said by these filters, and the clauses that more or fewer of them say."""
        if filters is self.filters:
            return self, frozenset()
        left, joined = _not_in(filters, self.filters), _not_in(self.filters, filters)
        counts = {suffix: Counter(of_suffix) for suffix, of_suffix in self._counts.items()}
        changed = _count(counts, joined, 1) | _count(counts, left, -1)
        return Said(filters, counts), changed


def filters_in_effect(standing: Standing, now: float) -> Mapping[str, ListedFilter]:
    """Return the filters that posts are found for, with the values that we wrote."""
    filters = standing.as_written
    if not (pending := standing.pending(now)):
        return filters
    filters = {**filters}
    for key in pending:
        del filters[key]
    return filters


def _not_in(some: Mapping[str, ListedFilter], others: Mapping[str, ListedFilter]) -> list[ListedFilter]:
    """Return those of the others that are not among these with the same value."""
    return [
        one
        for key, one in others.items()
        if (known := some.get(key)) is not one and (known is None or known.value != one.value)
    ]


def _count(counts: _Counts, filters: Iterable[ListedFilter], by: int) -> frozenset[Clause]:
    changed: set[Clause] = set()
    for one in filters:
        if (read := read_value(one.value)) is None:
            continue
        changed.update(read.clauses)
        of_suffix = counts.setdefault(read.suffix, Counter())
        for clause in read.clauses:
            of_suffix[clause] += by
            if not of_suffix[clause]:
                del of_suffix[clause]
    return frozenset(changed)
