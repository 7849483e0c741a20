"""The rules of a group in X's language: their clauses, what these lose or add, and what cannot be said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

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
    widest: dict[str, FollowScope] = {}
    clauses: dict[str, Clause] = {}
    differences: dict[Difference, list[Rule]] = {}
    for rule in snapshot.rules:
        scope = _scope_of(rule, wording.scope, doubts)
        try:
            found = [_translation(rule.group.type, value, scope) for value in rule.values]
        except ValueError as error:
            refused.append(Rejected(rule.key, rule.group, str(error)))
            continue
        rules.append(rule)
        for value, one in zip(rule.values, found, strict=True):
            known = widest.get(value)
            if known is None or _SCOPES.index(scope) > _SCOPES.index(known):
                widest[value], clauses[value] = scope, one.clause
        for difference in {difference for one in found for difference in one.differences}:
            differences.setdefault(difference, []).append(rule)
    return Translated(
        Demand(snapshot.group, _by_clause(clauses), wording.suffix),
        tuple(rules),
        clauses,
        tuple(refused),
        tuple(doubts),
        {difference: tuple(found) for difference, found in differences.items()},
    )


def _by_clause(clauses: Mapping[str, Clause]) -> dict[Clause, tuple[str, ...]]:
    """Return the values of each clause: values that differ in what X does not see have one clause."""
    values: dict[Clause, tuple[str, ...]] = {}
    for value, clause in clauses.items():
        values[clause] = (*values.get(clause, ()), value)
    return values


class _Scoped(msgspec.Struct):
    scope: object = None


def _scope_of(rule: Rule, of_group: FollowScope, doubts: list[Rejected]) -> FollowScope:
    """Return the rule's own scope, if its hash has the field `scope`, else that of its group."""
    if rule.group.type is not RuleType.FOLLOW or b'"scope"' not in rule.json:
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


@lru_cache(65_536)
def _translation(rule_type: RuleType, value: str, scope: FollowScope) -> Translation:
    """Translate; the values of a group are asked for again after each change of it."""
    return translate(rule_type, value, scope)
