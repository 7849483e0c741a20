"""The rules that an app's filters find posts for now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain

from traptor.common.rules.rule import GroupId, Rule, fingerprint
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.sync.goal import read_value
from traptor.supervisor.filters.sync.standing import Standing


@dataclass(frozen=True)
class InEffect:
    """Rules all of whose values have a filter in effect."""

    rules: tuple[Rule, ...] = field(default=(), repr=False)
    fingerprint: str = fingerprint(())
    groups: frozenset[GroupId] = frozenset()  # those with such a rule


def in_effect(groups: Iterable[Translated], standing: Standing, now: float) -> InEffect:
    """Return the rules of these groups that are in effect, in the order of the groups.

    A filter counts for every group that wants one of its clauses with its suffix, whosever it is.
    """
    said = _said(standing, now)
    found = {group.group: _rules_said(group, said.get(group.demand.suffix, set())) for group in groups}
    rules = tuple(chain.from_iterable(found.values()))
    return InEffect(rules, fingerprint(rules), frozenset(group for group, its in found.items() if its))


def _rules_said(group: Translated, said: AbstractSet[Clause]) -> Sequence[Rule]:
    clauses = group.demand.clauses
    if clauses.keys() <= said:
        return group.rules
    unsaid = {value for clause in clauses.keys() - said for value in clauses[clause]}
    return [rule for rule in group.rules if unsaid.isdisjoint(rule.values)]


def next_effect(standing: Standing, now: float) -> float | None:
    """Return when the next filter is taken to be in effect, if any is not yet."""
    return min(
        (at for key, at in standing.effect_at.items() if at > now and key in standing.filters), default=None
    )


def _said(standing: Standing, now: float) -> dict[str, set[Clause]]:
    """Return the clauses that are in effect, by their suffix."""
    pending = standing.pending(now)
    ours = {key: value for value, key in standing.same_as.items()}
    found: dict[str, set[Clause]] = {}
    for key, one in standing.filters.items():
        if key not in pending and (read := read_value(ours.get(key, one.value))) is not None:
            found.setdefault(read.suffix, set()).update(read.clauses)
    return found
