"""Work out what a load changes: rules that are new, differ, or are no longer wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from traptor.common.rules.rule import GroupId, Limits, RuleType
from traptor.rulekit.changes.change import Fields, GroupChange, RuleChange, by_group, linked
from traptor.rulekit.changes.holdings import Holdings, Stored, Values, values_of
from traptor.rulekit.changes.spread import Spread, is_numbered
from traptor.rulekit.changes.wanted import Wanted, wanted_rule
from traptor.rulekit.sources.row import BadRow, Row


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """Where rules are loaded to; with `group` all go there, whatever its size.

    `replaces`: rules that are not wanted are removed, of `group` or of all numbered groups.
    """

    rule_type: RuleType
    limits: Limits
    group: GroupId | None = None
    replaces: bool = False


@dataclass
class LoadPlan:
    """The change that a load makes. `steps` lists the groups that are to be written in one go."""

    changes: tuple[GroupChange, ...] = ()
    steps: list[list[GroupChange]] = field(default_factory=list)
    unchanged: int = 0
    refused: list[BadRow] = field(default_factory=list)


Contents = Mapping[GroupId, Sequence[Values]]


def plan_load(
    rules: Sequence[Wanted], holdings: Holdings, target: LoadTarget, contents: Contents | None = None
) -> LoadPlan:
    """Return what changes when these rules are loaded.

    `contents` are the values of all rules of the numbered groups, where the holdings have only some rules.
    """
    if target.group is not None:
        holdings = holdings.of([target.group])
    return _Loading(rules, holdings, target, contents).plan()


class _Loading:
    def __init__(
        self, rules: Sequence[Wanted], holdings: Holdings, target: LoadTarget, contents: Contents | None
    ) -> None:
        self._contents = contents
        self._wanted = rules
        self._holdings = holdings
        self._target = target
        self._plan = LoadPlan()
        self._changes: list[tuple[GroupId, RuleChange]] = []
        self._moves: list[tuple[GroupId, GroupId]] = []
        self._taken = {rule.key for rule in holdings.rules} | {one.key for one in holdings.unusable}
        self._changed: list[tuple[Stored, Wanted]] = []
        self._new: list[Wanted] = []
        self._same: dict[str, Values] = {}  # by key, of rules that stay as they are

    def plan(self) -> LoadPlan:
        self._compare()
        removed = list(self._unwanted())
        spread = self._spread(removed)
        for gone in removed:
            self._changes.append((gone.group, RuleChange(gone.key, gone.fields, None)))
        for stored, rule in self._changed:
            self._change(spread, stored, rule)
        for rule in sorted(self._new, key=lambda one: -len(one.values)):
            self._add(spread, rule)
        plan = self._plan
        plan.changes = by_group(self._changes)
        plan.steps = linked(plan.changes, self._moves)
        return plan

    def _compare(self) -> None:
        known = self._holdings.by_id()
        for rule in self._wanted:
            stored = known.get(rule.rule_id)
            if stored is None:
                self._new.append(rule)
                continue
            merged = {**stored.fields, **rule.fields}
            if merged == stored.fields:
                self._plan.unchanged += 1
                self._same[stored.key] = rule.values
            elif (valid := self._judge(rule, merged)) is not None:
                self._changed.append((stored, valid))

    def _judge(self, rule: Wanted, merged: Fields) -> Wanted | None:
        """Return the rule with the fields that its hash keeps, or None when it is not valid with them."""
        if len(merged) == len(rule.fields):
            return rule
        try:
            return wanted_rule(Row(rule.number, dict(merged)), self._target.rule_type, self._target.limits)
        except ValueError as error:
            self._plan.refused.append(BadRow(rule.number, f"with the fields that it has in Redis: {error}"))
            return None

    def _unwanted(self) -> Iterator[Stored]:
        if not self._target.replaces:
            return
        kept = {stored.key for stored, _ in self._changed} | self._same.keys()
        refused = {row.number for row in self._plan.refused}
        refused_ids = {rule.rule_id for rule in self._wanted if rule.number in refused}
        for rule in self._holdings.rules:
            is_open = self._target.group is not None or is_numbered(rule.group)
            if is_open and rule.key not in kept and rule.rule_id not in refused_ids:
                yield rule

    def _spread(self, removed: Sequence[Stored]) -> Spread | None:
        """Return the groups as they are without the removed rules; None where nothing is spread."""
        target = self._target
        if target.group is not None or not (self._new or self._changed):
            return None
        limit = target.limits.of(target.rule_type)
        spread = Spread(target.rule_type, limit, self._holdings.groups)
        contents = self._contents if self._contents is not None else self._contents_without(removed)
        for group, rules in contents.items():
            spread.fill(group, rules)
        return spread

    def _contents_without(self, removed: Sequence[Stored]) -> Contents:
        gone = {rule.key for rule in removed}
        contents: dict[GroupId, list[Values]] = {}
        for rule in self._holdings.rules:
            if rule.key not in gone and is_numbered(rule.group):
                values = self._same.get(rule.key) or values_of(self._target.rule_type, rule.fields)
                contents.setdefault(rule.group, []).append(values)
        return contents

    def _change(self, spread: Spread | None, stored: Stored, rule: Wanted) -> None:
        old = values_of(self._target.rule_type, stored.fields)
        stays = spread is None or not is_numbered(stored.group)
        if stays or (spread is not None and spread.change(stored.group, old, rule.values)):
            self._changes.append((stored.group, RuleChange(stored.key, stored.fields, rule.fields)))
            return
        assert spread is not None
        group = spread.place(rule.values)
        if self._put(group, rule):
            self._changes.append((stored.group, RuleChange(stored.key, stored.fields, None)))
            self._moves.append((stored.group, group))

    def _add(self, spread: Spread | None, rule: Wanted) -> None:
        group = self._target.group
        if group is None:
            assert spread is not None
            group = spread.place(rule.values)
        self._put(group, rule)

    def _put(self, group: GroupId, rule: Wanted) -> bool:
        key = key_of(group, rule.rule_id)
        if key in self._taken:
            self._plan.refused.append(
                BadRow(rule.number, f"the key {key} holds another rule or none at all; delete or rename it")
            )
            return False
        self._changes.append((group, RuleChange(key, None, rule.fields)))
        return True


def key_of(group: GroupId, rule_id: str) -> str:
    """Return the key of a new rule's hash."""
    return f"traptor-{group}:{rule_id}"
