"""Survey what all rules brought, for an answer that shows the first of an order.

It runs in a thread of a process that has other work, as `keeping.seeking` does: in small pieces with pauses,
and of the rules only those that may be shown are kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import redis

from traptor.common.redis.client import REDIS_ERRORS, unavailable
from traptor.common.rules.rule import GroupId, RuleType
from traptor.rulekit.changes.holdings import Stored, values_of
from traptor.rulekit.figures.reading import GroupCounts, read_counts
from traptor.rulekit.figures.report import Order, RuleReport, ordered
from traptor.rulekit.keeping.reading import read_hashes
from traptor.rulekit.keeping.seeking import TOGETHER, Wanted, key_pages, pause

_LOOSE = 1_000  # reports that are kept beyond those to be shown, before they are sorted

Keys = Mapping[GroupId, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Scope:
    """The rules that a survey is about: those of types, or of one group, and which of them are told."""

    types: Sequence[RuleType]
    group: GroupId | None
    wanted: Wanted


@dataclass
class Survey:
    """The first rules of an order, and how many have a place in it."""

    order: Order
    most: int
    now: float
    count: int = 0
    _kept: list[RuleReport] = field(default_factory=list)

    def add(self, found: Iterable[RuleReport]) -> None:
        """Take more reports, in any order."""
        placed = ordered(found, self.order, self.now)
        self.count += len(placed)
        self._kept += placed
        if len(self._kept) > self.most + _LOOSE:
            self._kept = self.reports

    @property
    def reports(self) -> list[RuleReport]:
        """The first reports."""
        return ordered(self._kept, self.order, self.now)[: self.most]

    def complete(self, sharing: Sharing) -> None:
        """Keep the first ones, and tell of each how many rules share a value with it."""
        self._kept = [replace(one, shared_with=sharing.with_rule(one.rule)) for one in self.reports]


class Sharing:
    """Counts the rules of each value."""

    def __init__(self) -> None:
        self._counts: dict[RuleType, Counter[str]] = defaultdict(Counter)

    def add(self, rules: Iterable[Stored]) -> None:
        """Count more rules."""
        for rule in rules:
            self._counts[rule.group.type].update(values_of(rule.group.type, rule.fields))

    def with_rule(self, rule: Stored) -> int:
        """Return how many other rules of its type have one of its values."""
        counts = self._counts[rule.group.type]
        return max((counts[value] - 1 for value in values_of(rule.group.type, rule.fields)), default=0)


def survey(client: redis.Redis, scope: Scope, order: Order, most: int, now: float) -> Survey:
    """Return what the first of the rules brought. Raises RedisUnavailable."""
    found, sharing = Survey(order, most, now), Sharing()
    try:
        keys = _keys(client, scope)
        if order is Order.SHARED:  # the order is not known before all are counted
            for rules in _rules(client, keys):
                sharing.add(rules)
        for group in sorted(keys):
            counts = read_counts(client, group, now, pause)
            for rules in _rules(client, {group: keys[group]}):
                told = [rule for rule in rules if scope.wanted(rule)]
                if order is Order.SHARED:
                    found.add(_report(rule, counts, sharing.with_rule(rule)) for rule in told)
                else:
                    sharing.add(rules)
                    found.add(_report(rule, counts, 0) for rule in told)
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    found.complete(sharing)
    return found


def _report(rule: Stored, counts: GroupCounts, shared_with: int) -> RuleReport:
    return RuleReport(rule, counts.of(f"{rule.group}:{rule.rule_id}"), shared_with)


def _keys(client: redis.Redis, scope: Scope) -> Keys:
    found: dict[GroupId, list[str]] = {}
    for rule_type in scope.types:
        for page in key_pages(client, rule_type, scope.group):
            for key, group in page.items():
                found.setdefault(group, []).append(key)
            pause()
    return found


def _rules(client: redis.Redis, keys: Keys) -> Iterator[list[Stored]]:
    for group, of_group in keys.items():
        remaining = iter(of_group)
        while part := list(islice(remaining, TOGETHER)):
            found = read_hashes(client, part, dict.fromkeys(part, group))
            yield [one for one in found if isinstance(one, Stored)]
            pause()
