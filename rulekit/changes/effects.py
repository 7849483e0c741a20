"""What a change of rules does to connections, before it is made: started, stopped, refreshed; pure.

This is what the planner makes of the rules of a group when it starts with them. A running supervisor may
divide a large group otherwise, because its rules stay where they stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from traptor.common.placement.parts import assign, connection_name
from traptor.common.rules.rule import GroupId, Limits, Rule
from traptor.rulekit.changes.change import GroupChange
from traptor.rulekit.changes.holdings import Holdings, Stored


class Act(StrEnum):
    """What happens to a connection."""

    START = "start"
    STOP = "stop"
    REFRESH = "refresh"
    SYNC = "sync"  # v2: filters change while the stream stays


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to one connection, and how many distinct values it carries before and after."""

    connection: str
    act: Act
    before: int
    after: int


def changed_holdings(holdings: Holdings, changes: Iterable[GroupChange]) -> Holdings:
    """Return the rules as they are after the changes."""
    rules = {rule.key: rule for rule in holdings.rules}
    for change in changes:
        for one in change.rules:
            if one.after is None:
                rules.pop(one.key, None)
            else:
                rule_id = one.after.get("rule_id", "")
                rules[one.key] = Stored(one.key, change.group, rule_id, one.after)
    return Holdings(tuple(sorted(rules.values(), key=lambda rule: rule.key)))


def streamed(holdings: Holdings, honour_status: bool, limits: Limits) -> dict[GroupId, list[Rule]]:
    """Return the rules of each group that are streamed: valid, and not switched off."""
    groups: dict[GroupId, list[Rule]] = {group: [] for group in holdings.groups}
    for stored in holdings.rules:
        found = stored.judged(honour_status, limits)
        if isinstance(found, Rule):
            groups[stored.group].append(found)
    return groups


def count_connections(groups: Mapping[GroupId, Sequence[Rule]], limits: Limits) -> int:
    """Return how many connections these groups take, parts of large ones included."""
    return sum(len(assign(rules, limits.of(group.type)).members) for group, rules in groups.items())


def effects(
    before: Mapping[GroupId, Sequence[Rule]], after: Mapping[GroupId, Sequence[Rule]], limits: Limits
) -> list[Effect]:
    """Return what happens to the connections of these groups."""
    found = []
    for group in sorted(before.keys() | after.keys()):
        limit = limits.of(group.type)
        old = assign(before.get(group, ()), limit)
        new = assign(after.get(group, ()), limit, old, old.members)
        for part in sorted(old.members.keys() | new.members.keys()):
            had = {key: old.values[key] for key in old.members.get(part, ())}
            has = {key: new.values[key] for key in new.members.get(part, ())}
            if had != has or _differ(before.get(group, ()), after.get(group, ()), has):
                act = Act.START if not had else Act.STOP if not has else Act.REFRESH
                counts = [len({value for values in one.values() for value in values}) for one in (had, has)]
                found.append(Effect(connection_name(group, part), act, *counts))
    return found


def _differ(before: Sequence[Rule], after: Sequence[Rule], keys: Mapping[str, object]) -> bool:
    """Tell whether one of these rules has other fields than before: every tweet carries them."""
    digests = {rule.key: rule.digest for rule in before}
    return any(rule.key in keys and digests.get(rule.key) != rule.digest for rule in after)
