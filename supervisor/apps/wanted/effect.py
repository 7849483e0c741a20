"""The rules that an app's filters find posts for now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
    said = set(_said(standing, now))
    rules = tuple(
        rule
        for group in groups
        for rule in group.rules
        if all((clause, group.demand.suffix) in said for clause in group.clauses_of(rule))
    )
    return InEffect(rules, fingerprint(rules), frozenset(rule.group for rule in rules))


def next_effect(standing: Standing, now: float) -> float | None:
    """Return when the next filter is taken to be in effect, if any is not yet."""
    return min(
        (at for key, at in standing.effect_at.items() if at > now and key in standing.filters), default=None
    )


def _said(standing: Standing, now: float) -> Iterator[tuple[Clause, str]]:
    """Yield each clause that is in effect, with its suffix."""
    for filter_id, value in standing.known(now).items():
        if standing.is_in_effect(filter_id, now) and (read := read_value(value)) is not None:
            for clause in read.clauses:
                yield clause, read.suffix
