"""What the filters that posts may name stand for, as workers are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from traptor.common.filters import Meaning
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.sync.difference import difference
from traptor.supervisor.filters.sync.goal import Goal, read_value
from traptor.supervisor.filters.sync.standing import Standing


def meanings(
    standing: Standing, goal: Goal, demands: Iterable[Demand], earlier: Iterable[Meaning], now: float
) -> tuple[Meaning, ...]:
    """Return the meaning of each filter of ours, of those deleted a minute ago too.

    A filter keeps the values that it stood for `earlier`, so that posts found for a rule that has just
    changed are credited to what was wanted then. Foreign filters mean nothing, unless they carry a value
    that is wanted.
    """
    wanted = [(str(demand.group), demand.clauses) for demand in demands]
    kept: dict[str, list[Meaning]] = {}
    for one in earlier:
        kept.setdefault(one.filter_id, []).append(one)
    foreign = {one.id for one in difference(standing, goal, now).foreign}
    found: list[Meaning] = []
    for filter_id, value in standing.known(now).items():
        if filter_id in foreign:
            continue
        meant = list(_meant(filter_id, value, wanted))
        before = kept.get(filter_id, meant)
        found += before if meant == before else _joined([*meant, *before])
    return tuple(found)


def _meant(
    filter_id: str, value: str, wanted: Iterable[tuple[str, Mapping[Clause, tuple[str, ...]]]]
) -> Iterator[Meaning]:
    read = read_value(value)
    if read is None:
        return
    is_packed = len(read.clauses) > 1
    for group, clauses in wanted:
        if is_packed:
            values = tuple(one for clause in read.clauses for one in clauses.get(clause, ()))
        else:
            values = clauses.get(read.clauses[0], ())
        if values:
            yield Meaning(filter_id, group, values, is_packed)


def _joined(parts: Iterable[Meaning]) -> Iterator[Meaning]:
    """Join the meanings of one filter by group."""
    groups: dict[str, list[Meaning]] = {}
    for one in parts:
        groups.setdefault(one.group, []).append(one)
    for group, several in groups.items():
        values = tuple(dict.fromkeys(value for one in several for value in one.values))
        yield Meaning(several[0].filter_id, group, values, any(one.is_packed for one in several))
