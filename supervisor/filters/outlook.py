"""What a value becomes at X, before it is anybody's rule: clauses, losses, and the filters that it takes."""

from __future__ import annotations

from collections.abc import Iterable

from traptor.common.rules.rule import GroupId, RuleType
from traptor.supervisor.filters.compose import compose
from traptor.supervisor.filters.composition import Allowance, Demand
from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.language.translate import translate

Json = dict[str, object]


def outlook(rule_type: RuleType, values: Iterable[str], allowance: Allowance) -> Json:
    """Return clauses, what they lose and add, and the number of filters, for values of one rule.

    `refused` names the values that X's language cannot express, each with the reason; they have no clause.
    """
    clauses: dict[Clause, tuple[str, ...]] = {}
    losses: set[str] = set()
    extras: set[str] = set()
    refused: list[dict[str, str]] = []
    for value in values:
        try:
            translation = translate(rule_type, value)
        except ValueError as error:
            refused.append({"value": value, "reason": str(error)})
            continue
        clauses[translation.clause] = (value,)
        for difference in translation.differences:
            (losses if difference.is_loss else extras).add(difference.text)
    composition = compose([Demand(GroupId(rule_type, "0"), clauses)], allowance)
    for one in composition.waiting:  # a box of many tiles is a clause of many thousand characters
        refused += [{"value": value, "reason": one.reason} for value in clauses.pop(one.clause)]
    return {
        "clauses": [str(clause) for clause in clauses],
        "losses": sorted(losses),
        "extras": sorted(extras),
        "filters": len(composition.filters),
        "refused": refused,
    }


def why_no_filter(told: Json) -> str | None:
    """Return why a rule with these values gets no filter at X, by its outlook; None if it gets one."""
    refused = told["refused"]
    return str(refused[0]["reason"]) if isinstance(refused, list) and refused else None
