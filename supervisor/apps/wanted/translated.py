"""The rules of a group in X's language: their clauses, what these lose or add, and what cannot be said."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial

import msgspec

from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId, Rejected, Rule, RuleType
from traptor.common.text import quoted
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.language.differences import Difference
from traptor.supervisor.filters.language.translate import Translation, translate
from traptor.supervisor.rules.snapshot import Snapshot

_SCOPES = list(FollowScope)  # each includes those before it


@dataclass(frozen=True, slots=True)
class Wording:
    """How the operator wants the rules of a group to be said at X."""

    scope: FollowScope = FollowScope.FULL
    suffix: str = ""


@dataclass(frozen=True)
class Translated:
    """A group's rules in X's language; `refused` are rules that it cannot express."""

    demand: Demand
    rules: tuple[Rule, ...] = field(repr=False)  # those that it can
    clauses: Mapping[str, Clause] = field(repr=False)  # by value
    refused: tuple[Rejected, ...] = ()
    doubts: tuple[Rejected, ...] = ()  # rules whose own `scope` is none; they have the group's
    differences: Mapping[Difference, tuple[Rule, ...]] = field(default_factory=dict, repr=False)

    @property
    def group(self) -> GroupId:
        """The group."""
        return self.demand.group

    def clauses_of(self, rule: Rule) -> Iterator[Clause]:
        """Yield the clauses of one of the rules."""
        return (self.clauses[value] for value in rule.values)


def translated(snapshot: Snapshot, wording: Wording) -> Translated:
    """Translate the usable rules of a group; a rule with a value that X cannot express is left out.

    Of rules that share a followed account, the widest scope counts.
    """
    rules: list[Rule] = []
    refused: list[Rejected] = []
    doubts: list[Rejected] = []
    narrow: dict[str, FollowScope] = {}  # values that are not said in full
    clauses: dict[str, Clause] = {}
    differences: dict[Difference, list[Rule]] = {}
    rule_type, said_in, say = snapshot.group.type, wording.scope, _saying(snapshot.group.type, wording.scope)
    for rule in snapshot.rules:
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
        Demand(snapshot.group, _by_clause(clauses), wording.suffix),
        tuple(rules),
        clauses,
        tuple(refused),
        tuple(doubts),
        {difference: tuple(found) for difference, found in differences.items()},
    )


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
