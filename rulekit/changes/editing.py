"""Work out changes of single rules: remove them, move them to another id, take a change back."""

from __future__ import annotations

from collections.abc import Iterable

from traptor.common.rules.rule import GroupId
from traptor.rulekit.changes.change import RuleChange
from traptor.rulekit.changes.holdings import Holdings, Stored
from traptor.rulekit.changes.loading import key_of

Edits = list[tuple[GroupId, RuleChange]]


def chosen(holdings: Holdings, rule_ids: Iterable[str]) -> tuple[list[Stored], list[str]]:
    """Return the rules with these ids (or keys), and the ids that no rule has."""
    wanted = dict.fromkeys(rule_ids)
    found = [rule for rule in holdings.rules if rule.rule_id in wanted or rule.key in wanted]
    known = {name for rule in found for name in (rule.rule_id, rule.key)}
    return found, [rule_id for rule_id in wanted if rule_id not in known]


def removal(rules: Iterable[Stored]) -> Edits:
    """Return the changes that remove these rules."""
    return [(rule.group, RuleChange(rule.key, rule.fields, None)) for rule in rules]


def move(rules: Iterable[Stored], target: GroupId, taken: Iterable[str]) -> Edits:
    """Return the changes that move these rules to another group of their type; those there stay.

    Raises ValueError when the group has a rule of that id already, among the keys `taken`.
    """
    there = frozenset(taken)
    edits: Edits = []
    for rule in rules:
        if rule.group == target:
            continue
        key = key_of(target, rule.rule_id)
        if key in there:
            raise ValueError(f"{target} has a rule {rule.rule_id} already")
        edits.append((rule.group, RuleChange(rule.key, rule.fields, None)))
        edits.append((target, RuleChange(key, None, rule.fields)))
    return edits
