"""What the filters that posts may name stand for, as workers are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from traptor.common.filters import FollowScope, Meaning
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import Clause, FollowClause
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
        scopes: dict[str, FollowScope] = {}
        for clause in read.clauses:
            if values := clauses.get(clause):
                scope = clause.scope if isinstance(clause, FollowClause) else FollowScope.FULL
                _add(scopes, dict.fromkeys(values, scope))
        if scopes:
            yield _meaning(filter_id, group, scopes, is_packed=is_packed)


def _joined(parts: Iterable[Meaning]) -> Iterator[Meaning]:
    """Join the meanings of one filter by group."""
    groups: dict[str, list[Meaning]] = {}
    for one in parts:
        groups.setdefault(one.group, []).append(one)
    for group, several in groups.items():
        scopes: dict[str, FollowScope] = {}
        for one in several:
            full = (FollowScope.FULL,) * len(one.values)
            _add(scopes, dict(zip(one.values, one.scopes or full, strict=True)))
        yield _meaning(several[0].filter_id, group, scopes, is_packed=any(one.is_packed for one in several))


def _add(scopes: dict[str, FollowScope], more: Mapping[str, FollowScope]) -> None:
    """Add values with their scopes; of a value with two the wider one counts."""
    order = list(FollowScope)
    for value, scope in more.items():
        scopes[value] = max(scope, scopes.get(value, scope), key=order.index)


def _meaning(filter_id: str, group: str, scopes: Mapping[str, FollowScope], *, is_packed: bool) -> Meaning:
    named = tuple(scopes.values())
    is_narrow = any(scope is not FollowScope.FULL for scope in named)
    return Meaning(filter_id, group, tuple(scopes), is_packed, named if is_narrow else ())
