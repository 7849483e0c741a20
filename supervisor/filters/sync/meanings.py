"""What the filters that posts may name stand for, as workers are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from traptor.common.filters import FollowScope, Meaning
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import Clause, FollowClause
from traptor.supervisor.filters.sync.difference import FilterDifference
from traptor.supervisor.filters.sync.goal import read_value
from traptor.supervisor.filters.sync.standing import KNOWN_AFTER_S
from traptor.supervisor.xapi.answers import ListedFilter

_Clauses = Mapping[Clause, tuple[str, ...]]  # each with the values that it stands for


@dataclass(frozen=True)
class Meanings:
    """The meanings of filters by id, and what they follow from: what stays is not worked out again."""

    by_filter: Mapping[str, tuple[Meaning, ...]] = field(default_factory=dict)
    filters: Mapping[str, ListedFilter] = field(default_factory=dict, repr=False)
    wanted: Mapping[str, _Clauses] = field(default_factory=dict, repr=False)  # by group
    # Filters that stand for values which nobody wants of them any more, and until when they do, if they stay.
    outlived: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)

    def next_end(self, now: float) -> float | None:
        """Return when the next filter is to lose such values."""
        return min((until for until in self.outlived.values() if until > now), default=None)


def meanings(found: FilterDifference, demands: Iterable[Demand], earlier: Meanings, now: float) -> Meanings:
    """Return the meaning of each filter of ours, of those deleted a minute ago too.

    A filter keeps the values that it stood for `earlier`, so that posts found for a rule that has just
    changed are credited to what was wanted then: until a minute after the change, or if it is to go itself,
    as long as it is known. Foreign filters mean nothing, unless they carry a value that is wanted.
    """
    wanted = {str(demand.group): demand.clauses for demand in demands}
    known = found.standing.known(now)
    if foreign := {one.id for one in found.foreign}:
        known = {key: one for key, one in known.items() if key not in foreign}
    before = earlier.by_filter
    gone = [key for key in before if key not in known]
    stale = _stale(known, earlier.filters, _changed(earlier.wanted, wanted))
    over = [key for key in earlier.outlived if earlier.outlived[key] <= now and _stays(key, found)]
    if not gone and not stale and not over:
        return Meanings(before, known, wanted, earlier.outlived)
    meant, outlived = {**before}, {**earlier.outlived}
    for key in (*gone, *over, *stale):
        meant.pop(key, None)
        outlived.pop(key, None)
    for key in over:
        if of_filter := tuple(_meant(key, known[key].value, wanted)):
            meant[key] = of_filter
    for key in dict.fromkeys(stale):
        now_meant = tuple(_meant(key, known[key].value, wanted))
        if of_filter := _with_earlier(now_meant, before.get(key, ())):
            meant[key] = of_filter
        if of_filter != now_meant:
            outlived[key] = now + KNOWN_AFTER_S
    return Meanings(meant, known, wanted, outlived)


def _stays(filter_id: str, found: FilterDifference) -> bool:
    """Tell whether a filter stands at X and is wanted as it is."""
    one = found.standing.as_written.get(filter_id)
    return one is not None and one.value in found.goal.groups


def _stale(
    known: Mapping[str, ListedFilter], before: Mapping[str, ListedFilter], changed: AbstractSet[Clause]
) -> list[str]:
    """Return the filters that were not known, or may mean something else now; some twice."""
    if known is before and not changed:
        return []
    found = [
        key
        for key, one in known.items()
        if (was := before.get(key)) is not one and (was is None or was.value != one.value)
    ]
    if changed:
        found += [key for key, one in known.items() if not changed.isdisjoint(_clauses(one.value))]
    return found


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


def _with_earlier(now: tuple[Meaning, ...], earlier: tuple[Meaning, ...]) -> tuple[Meaning, ...]:
    return tuple(_joined([*now, *earlier])) if earlier and earlier != now else now


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
