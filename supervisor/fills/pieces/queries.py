"""The queries that find what an app's filters would have found: their clauses, as many as fit into one.

Facts: X, "Search posts": a query has at most 1,024 characters and the operators of filters, except `sample:`
and those of a user's profile (`bio:` and so on). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from traptor.common.errors import TraptorError
from traptor.common.filters import FollowScope, Meaning
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.filters.language.clauses import OR, Clause, FollowClause, filter_text

MOST_CHARACTERS = 1_024
QUERY = "query"  # the name, in its meanings, of the filter that a query is
_UNSEARCHABLE = re.compile(r"(?<![\w-])-?(sample|bio(?:_name|_location)?):")


class Query(msgspec.Struct, frozen=True):
    """One query, and the values that it stands for."""

    text: str
    meanings: tuple[Meaning, ...]


class Plan(msgspec.Struct, frozen=True):
    """The queries for a gap, and why some of what its filters find cannot be searched."""

    queries: tuple[Query, ...] = ()
    missed: tuple[str, ...] = ()


class _Wanted(msgspec.Struct, frozen=True):
    """A clause with the values of one group that it stands for."""

    group: str
    clause: Clause
    values: tuple[str, ...]

    def scopes(self) -> Iterator[tuple[str, FollowScope]]:
        scope = self.clause.scope if isinstance(self.clause, FollowClause) else FollowScope.FULL
        return ((value, scope) for value in self.values)


def plan_of(groups: Iterable[Translated], is_due: Callable[[str], bool]) -> Plan:
    """Return the queries for the rules of these groups that `is_due` names by their Redis keys."""
    by_suffix: dict[str, dict[Clause, list[_Wanted]]] = {}
    missed: list[str] = []
    for group in groups:
        due = [rule for rule in group.rules if is_due(rule.key)]
        if not due:
            continue
        suffix = group.demand.suffix
        if (found := _UNSEARCHABLE.search(suffix)) is not None:
            missed.append(f"{group.group}: {found[1]}: cannot be searched")
            continue
        clauses = by_suffix.setdefault(suffix, {})
        for clause in dict.fromkeys(clause for rule in due for clause in group.clauses_of(rule)):
            if len(filter_text([clause], suffix)) > MOST_CHARACTERS:
                missed.append(f"{group.group}: a filter is longer than a query may be")
                continue
            wanted = _Wanted(str(group.group), clause, group.demand.clauses[clause])
            clauses.setdefault(clause, []).append(wanted)
    queries = (query for suffix, clauses in by_suffix.items() for query in _joined(clauses, suffix))
    return Plan(tuple(queries), tuple(dict.fromkeys(missed)))


def is_wanted(query: Query, groups: Iterable[Translated]) -> bool:
    """Tell whether a rule of these groups still has one of the values that a query stands for."""
    values = {str(group.group): group.clauses for group in groups}
    return any(value in values.get(one.group, {}) for one in query.meanings for value in one.values)


def _joined(clauses: dict[Clause, list[_Wanted]], suffix: str) -> Iterator[Query]:
    """Yield queries of as many clauses as fit into one, in their order."""
    room = MOST_CHARACTERS - len(filter_text([], suffix))
    taken: list[Clause] = []
    size = 0
    for clause in clauses:
        more = len(str(clause)) + (len(OR) if taken else 0)
        if taken and size + more > room:
            yield _query(taken, clauses, suffix)
            taken, size, more = [], 0, len(str(clause))
        taken.append(clause)
        size += more
    if taken:
        yield _query(taken, clauses, suffix)


def _query(taken: Sequence[Clause], clauses: dict[Clause, list[_Wanted]], suffix: str) -> Query:
    by_group: dict[str, dict[str, FollowScope]] = {}
    for clause in taken:
        for wanted in clauses[clause]:
            by_group.setdefault(wanted.group, {}).update(wanted.scopes())
    is_packed = len(taken) > 1
    meanings = tuple(_meaning(group, scopes, is_packed=is_packed) for group, scopes in by_group.items())
    return Query(filter_text(taken, suffix), meanings)


def _meaning(group: str, scopes: dict[str, FollowScope], *, is_packed: bool) -> Meaning:
    named = tuple(scopes.values())
    is_narrow = any(scope is not FollowScope.FULL for scope in named)
    return Meaning(QUERY, group, tuple(scopes), is_packed, named if is_narrow else ())


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Plan)


def dump_plan(plan: Plan) -> bytes:
    """Return a plan in the form in which the ledger keeps it."""
    return _encoder.encode(plan)


def load_plan(data: bytes) -> Plan:
    """Return the plan of a dump. Raises TraptorError where it is none."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise TraptorError("the queries of a fill cannot be read from the ledger") from None
