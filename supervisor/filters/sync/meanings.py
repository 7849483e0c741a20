"""What the filters that posts may name stand for, as workers are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from traptor.common.filters import FollowScope, Meaning
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import Clause, FollowClause
from traptor.supervisor.filters.sync.difference import difference
from traptor.supervisor.filters.sync.goal import Goal, read_value
from traptor.supervisor.filters.sync.standing import Standing

_Clauses = Mapping[Clause, tuple[str, ...]]  # each with the values that it stands for


@dataclass(frozen=True)
class Meanings:
    """The meanings of filters by id, and what they follow from: what stays is not worked out again."""

    by_filter: Mapping[str, tuple[str, tuple[Meaning, ...]]] = field(default_factory=dict)  # with its value
    wanted: Mapping[str, _Clauses] = field(default_factory=dict)  # by group

    @cached_property
    def all(self) -> tuple[Meaning, ...]:
        """All of them."""
        return tuple(chain.from_iterable([found for _, found in self.by_filter.values()]))


def meanings(
    standing: Standing, goal: Goal, demands: Iterable[Demand], earlier: Meanings, now: float
) -> Meanings:
    """Return the meaning of each filter of ours, of those deleted a minute ago too.

    A filter keeps the values that it stood for `earlier`, so that posts found for a rule that has just
    changed are credited to what was wanted then. Foreign filters mean nothing, unless they carry a value
    that is wanted.
    """
    wanted = {str(demand.group): demand.clauses for demand in demands}
    changed = _changed(earlier.wanted, wanted)
    foreign = {one.id for one in difference(standing, goal, now).foreign}
    found: dict[str, tuple[str, tuple[Meaning, ...]]] = {}
    for filter_id, value in standing.known(now).items():
        if filter_id in foreign:
            continue
        before = earlier.by_filter.get(filter_id)
        if before is None or before[0] != value or (changed and not changed.isdisjoint(_clauses(value))):
            before = value, _with_earlier(_meant(filter_id, value, wanted), before)
        found[filter_id] = before
    return Meanings(found, wanted)


def _changed(before: Mapping[str, _Clauses], now: Mapping[str, _Clauses]) -> set[Clause]:
    """Return the clauses that some group wants for other values than before."""
    found: set[Clause] = set()
    for group in before.keys() | now.keys():
        old, new = before.get(group, {}), now.get(group, {})
        if old is not new:
            found.update(old.keys() - new.keys())
            found.update([clause for clause, values in new.items() if old.get(clause) != values])
    return found


def _clauses(value: str) -> tuple[Clause, ...]:
    read = read_value(value)
    return read.clauses if read is not None else ()


def _with_earlier(
    meant: Iterable[Meaning], earlier: tuple[str, tuple[Meaning, ...]] | None
) -> tuple[Meaning, ...]:
    now = tuple(meant)
    return now if earlier is None or earlier[1] == now else tuple(_joined([*now, *earlier[1]]))


def _meant(filter_id: str, value: str, wanted: Mapping[str, _Clauses]) -> Iterator[Meaning]:
    said = _clauses(value)
    is_packed = len(said) > 1
    for group, clauses in wanted.items():
        scopes: dict[str, FollowScope] = {}
        for clause in said:
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
