"""What the addition of one rule needs to know of all that stand: little, however many they are."""

from __future__ import annotations

from traptor.common.rules.normalise import parse_key
from traptor.common.rules.rule import GroupId
from traptor.rulekit.changes.holdings import Holdings, Stored, Values, values_of
from traptor.rulekit.changes.loading import LoadPlan, LoadTarget, plan_load
from traptor.rulekit.changes.spread import is_numbered
from traptor.rulekit.changes.wanted import Wanted


class SingleLoad:
    """Loads one rule; shown each rule that stands where it may go, it keeps those with its id."""

    def __init__(self, rule: Wanted, target: LoadTarget) -> None:
        self._rule = rule
        self._target = target
        self._contents: dict[GroupId, list[Values]] = {}

    def keeps(self, stored: Stored) -> bool:
        """Tell whether the plan needs this rule itself; note its values where they may count."""
        if self._target.group is None and is_numbered(stored.group):
            values = values_of(self._target.rule_type, stored.fields)
            self._contents.setdefault(stored.group, []).append(values)
        return self._rule.rule_id in (stored.rule_id, parse_key(stored.key)[1])

    def plan(self, holdings: Holdings) -> LoadPlan:
        """Return what changes, when all rules were shown; the holdings are those kept."""
        plan = plan_load([self._rule], holdings, self._target, self._contents)
        while self._contents:  # all at once would hold the interpreter for long
            self._contents.popitem()
        return plan
