"""The rules of a group in X's language: their clauses, what these lose or add, and what cannot be said."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from operator import attrgetter

import msgspec

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId, Rejected, Rule, RuleType
from traptor.common.rules.turnover import Turnover, turnover
from traptor.common.text import quoted
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.filters.language.translate import Translation, translate
from traptor.supervisor.rules.snapshot import Snapshot

_Differences = Mapping[Difference, tuple[Rule, ...]]
_SCOPES = list(FollowScope)  # each includes those before it


@dataclass(frozen=True, slots=True)
class Wording:
    """How the operator wants the rules of a group to be said at X."""

    scope: FollowScope = FollowScope.FULL
    suffix: str = ""


@dataclass(frozen=True, eq=False)
class Translated:
    """A group's rules in X's language; `refused` are rules that it cannot express."""

    demand: Demand
    rules: tuple[Rule, ...] = field(repr=False)  # those that it can
    clauses: Mapping[str, Clause] = field(repr=False)  # by value
    refused: tuple[Rejected, ...] = ()
    doubts: tuple[Rejected, ...] = ()  # rules whose own `scope` is none; they have the group's
    differences: _Differences = field(default_factory=dict, repr=False)
    source: tuple[Rule, ...] = field(default=(), repr=False)  # all rules that it was made from
    wording: Wording = Wording()

    @property
    def group(self) -> GroupId:
        """The group."""
        return self.demand.group

    def clauses_of(self, rule: Rule) -> Iterator[Clause]:
        """Yield the clauses of one of the rules."""
        return (self.clauses[value] for value in rule.values)


def translated(snapshot: Snapshot, wording: Wording, earlier: Translated | None = None) -> Translated:
    """Translate the usable rules of a group; a rule with a value that X cannot express is left out.

    Of rules that share a followed account, the widest scope counts. What is known from an `earlier`
    translation is not worked out again.
    """
    if earlier is None or (earlier.group, earlier.wording) != (snapshot.group, wording):
        return _anew(snapshot.group, snapshot.rules, wording)
    changed = turnover(earlier.source, snapshot.rules)
    touched = changed.values
    again = tuple([rule for rule in snapshot.rules if not touched.isdisjoint(rule.values)])
    return _joined(earlier, snapshot, _anew(snapshot.group, again, wording), changed)


def _anew(group: GroupId, of_group: tuple[Rule, ...], wording: Wording) -> Translated:
    rules: list[Rule] = []
    refused: list[Rejected] = []
    doubts: list[Rejected] = []
    narrow: dict[str, FollowScope] = {}  # values that are not said in full
    clauses: dict[str, Clause] = {}
    differences: dict[Difference, list[Rule]] = {}
    rule_type, said_in, say = group.type, wording.scope, _saying(group.type, wording.scope)
    for rule in of_group:
        scope = _scope_of(rule, wording.scope, doubts) if rule_type is RuleType.FOLLOW else wording.scope
        if scope is not said_in:
            said_in, say = scope, _saying(rule_type, scope)
        try:
            found = [say(value) for value in rule.values]
        except ValueError as error:
            refused.append(Rejected(rule.key, rule.group, str(error)))
            continue
        rules.append(rule)
        for value, one in zip(rule.values, found, strict=True):
            if scope is FollowScope.FULL or _is_wider(scope, value, clauses, narrow):
                clauses[value] = one.clause
                if narrow or scope is not FollowScope.FULL:
                    narrow[value] = scope
        if lost := [difference for one in found for difference in one.differences]:
            for difference in dict.fromkeys(lost):
                differences.setdefault(difference, []).append(rule)
    return Translated(
        Demand(group, _by_clause(clauses), wording.suffix),
        tuple(rules),
        clauses,
        tuple(refused),
        tuple(doubts),
        {difference: tuple(found) for difference, found in differences.items()},
        of_group,
        wording,
    )


def _joined(earlier: Translated, snapshot: Snapshot, again: Translated, changed: Turnover) -> Translated:
    """Join the earlier one with that of all rules that share a value with the changed rules."""
    touched = changed.values
    clauses = {**earlier.clauses}
    for value in touched:
        clauses.pop(value, None)
    clauses |= {value: clause for value, clause in again.clauses.items() if value in touched}
    known = {rule.key for rule in (*changed.left, *again.source)}
    refused = _by_key(earlier.refused, again.refused, known)
    out = {one.key for one in refused}
    rules = tuple([rule for rule in snapshot.rules if rule.key not in out]) if out else snapshot.rules
    return Translated(
        earlier.demand.changed(_changed_clauses(earlier, clauses, touched)),
        rules,
        clauses,
        refused,
        _by_key(earlier.doubts, again.doubts, known),
        _joined_differences(earlier.differences, again.differences, known),
        snapshot.rules,
        earlier.wording,
    )


def _changed_clauses(
    earlier: Translated, clauses: Mapping[str, Clause], touched: Iterable[str]
) -> dict[Clause, tuple[str, ...]]:
    """Return the values of each clause that some of these values have, or had."""
    moved = sorted(touched)
    before = (earlier.clauses[value] for value in moved if value in earlier.clauses)
    now = {value: clauses[value] for value in moved if value in clauses}
    found: dict[Clause, list[str]] = {}
    for clause in dict.fromkeys((*before, *now.values())):
        had = earlier.demand.clauses.get(clause, ())
        found[clause] = [value for value in had if clauses.get(value) == clause and value not in now]
    for value, clause in now.items():
        found[clause].append(value)
    return {clause: tuple(values) for clause, values in found.items()}


def _joined_differences(
    before: Mapping[Difference, tuple[Rule, ...]],
    again: Mapping[Difference, tuple[Rule, ...]],
    known: set[str],
) -> dict[Difference, tuple[Rule, ...]]:
    kept = {
        difference: tuple([rule for rule in rules if rule.key not in known])
        for difference, rules in before.items()
    }
    found = {one: (*kept.get(one, ()), *again.get(one, ())) for one in kept.keys() | again.keys()}
    return {difference: rules for difference, rules in found.items() if rules}


def _by_key(before: Iterable[Rejected], again: Iterable[Rejected], known: set[str]) -> tuple[Rejected, ...]:
    kept = [one for one in before if one.key not in known]
    return tuple(sorted([*kept, *again], key=attrgetter("key")))


def _is_wider(
    scope: FollowScope, value: str, said: Container[str], narrow: Mapping[str, FollowScope]
) -> bool:
    """Tell whether a scope is wider than the one in which the value is said, if it is said."""
    if value not in said:
        return True
    return _SCOPES.index(scope) > _SCOPES.index(narrow.get(value, FollowScope.FULL))


def _by_clause(clauses: Mapping[str, Clause]) -> dict[Clause, tuple[str, ...]]:
    """Return the values of each clause: values that differ in what X does not see have one clause."""
    values: dict[Clause, tuple[str, ...]] = {clause: (value,) for value, clause in clauses.items()}
    if len(values) < len(clauses):
        values = dict.fromkeys(values, ())
        for value, clause in clauses.items():
            values[clause] = (*values[clause], value)
    return values


class _Scoped(msgspec.Struct):
    scope: object = None


def _scope_of(rule: Rule, of_group: FollowScope, doubts: list[Rejected]) -> FollowScope:
    """Return the own scope of a follow rule, if its hash has the field `scope`, else that of its group."""
    if b'"scope"' not in rule.json:
        return of_group
    written = msgspec.json.decode(rule.json, type=_Scoped).scope
    if not isinstance(written, str) or not written.strip():
        return of_group
    try:
        return FollowScope(written.strip().lower())
    except ValueError:
        known = ", ".join(FollowScope)
        reason = f"its scope {quoted(written)} is not one of {known}; it has that of its group ({of_group})"
        doubts.append(Rejected(rule.key, rule.group, reason))
        return of_group


@lru_cache
def _saying(rule_type: RuleType, scope: FollowScope) -> Callable[[str], Translation]:
    """Return what translates a value; the values of a group are asked for again after each change of it."""
    return lru_cache(65_536)(partial(translate, rule_type, scope=scope))
