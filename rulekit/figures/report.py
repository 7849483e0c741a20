"""The figures of rules, with what only the rules together tell: who shares a value, what costs most; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from traptor.rulekit.changes.holdings import Stored, values_of
from traptor.rulekit.figures.figure import Figure


class Order(StrEnum):
    """By what rules are sorted; the first ones are the largest."""

    DAY = "day"
    TOTAL = "total"
    SILENT = "silent"
    SHARED = "shared"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One rule with its figures; `shared_with` counts the rules of its type that have one of its values."""

    rule: Stored
    figure: Figure
    shared_with: int

    def as_json(self, now: float, post_price: float | None) -> dict[str, object]:
        """Return it for programs; the price of a day is told where posts cost something."""
        told = {
            **self.figure.as_json(now),
            "key": self.rule.key,
            "value": self.rule.fields.get("value"),
            "tag": self.rule.fields.get("tag"),
            "shared_with": self.shared_with,
        }
        if post_price is not None:
            told["dollars_last_day"] = round(self.figure.a_day * post_price, 4)
        return told


def reports(rules: Sequence[Stored], figures: Mapping[str, Figure]) -> list[RuleReport]:
    """Return a report for every rule."""
    values = {rule.key: values_of(rule.group.type, rule.fields) for rule in rules}
    counts = Counter(value for of_rule in values.values() for value in of_rule)
    found = []
    for rule in rules:
        name = f"{rule.group}:{rule.rule_id}"
        shared = max((counts[value] - 1 for value in values[rule.key]), default=0)
        found.append(RuleReport(rule, figures.get(name, Figure(name)), shared))
    return found


def ordered(found: Iterable[RuleReport], order: Order, now: float) -> list[RuleReport]:
    """Return the reports sorted; of `silent`, `shared` and `held` only rules that are."""
    match order:
        case Order.DAY:
            return sorted(found, key=lambda one: (-one.figure.a_day, -one.figure.total, one.rule.key))
        case Order.TOTAL:
            return sorted(found, key=lambda one: (-one.figure.total, one.rule.key))
        case Order.SILENT:
            silent = [one for one in found if one.figure.silent_s(now) is not None]
            return sorted(silent, key=lambda one: (-one.figure.silent_intervals(now), one.rule.key))
        case Order.SHARED:
            return sorted(
                (one for one in found if one.shared_with), key=lambda one: (-one.shared_with, one.rule.key)
            )
        case Order.HELD:
            return sorted(
                (one for one in found if one.figure.held), key=lambda one: (-one.figure.held, one.rule.key)
            )
