"""The filters that an app should have: of the groups that it serves, close to what stands at X. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.filters.compose import compose
from traptor.supervisor.filters.composition import Allowance, Composition, Demand, Filter
from traptor.supervisor.filters.language.clauses import Clause, filter_text
from traptor.supervisor.filters.sync.before import filters_before
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal, read_value
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.filters.sync.suffixes import wrong_suffixes


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What an app at X may have, and whose its filters are."""

    collection: str
    policy: ForeignFilters = ForeignFilters.REFUSE
    filters: int = 1_000
    length: int = 1_024


@dataclass(frozen=True, slots=True)
class Basis:
    """What a composition follows from, beside the filters of before."""

    groups: tuple[Translated, ...] = ()
    limits: AppLimits | None = None
    allowance: Allowance | None = None
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Composed:
    """The composition of an app, with what of its groups is missing from it, by rule."""

    composition: Composition
    goal: Goal
    demands: tuple[Demand, ...] = ()
    waiting: tuple[Rejected, ...] = ()  # rules with a clause for which there is no room
    refused: tuple[Rejected, ...] = ()  # rules that X's language, a filter's length, or X does not take
    absent: Mapping[GroupId, frozenset[Clause]] = field(default_factory=dict, repr=False)  # in no filter
    suffixes: Mapping[str, str] = field(default_factory=dict)  # that X takes with no clause, and why
    basis: Basis = field(default_factory=Basis, repr=False)

    @cached_property
    def without_filter(self) -> Mapping[str, str]:
        """Why X has no filter for a rule, and gets none, by the rule's Redis key."""
        return {one.key: one.reason for one in (*self.refused, *self.waiting)}

    @cached_property
    def packed(self) -> int:
        """The number of filters with several clauses."""
        return len({one.text for one in self.composition.filters if one.is_packed})

    @cached_property
    def refused_by_group(self) -> Counter[GroupId]:
        """How many rules of each group are refused, where any are."""
        return Counter(rule.group for rule in self.refused if rule.group is not None)

    @cached_property
    def mostly_refused(self) -> tuple[GroupId, ...]:
        """The groups of which more rules are refused than not."""
        rules = {one.group: len(one.rules) + len(one.refused) for one in self.basis.groups}
        return tuple(
            sorted(group for group, n in self.refused_by_group.items() if 2 * n > rules.get(group, 0))
        )

    @property
    def single(self) -> int:
        """The number of filters with one clause."""
        return len(self.goal.groups) - self.packed

    def is_of(self, groups: Sequence[Translated], limits: AppLimits) -> bool:
        """Tell whether it follows from these groups and limits."""
        return self.basis.groups == tuple(groups) and self.basis.limits == limits


def composed(
    groups: Sequence[Translated],
    limits: AppLimits,
    standing: Standing,
    now: float,
    before: Composed | None = None,
) -> Composed:
    """Return the wanted filters, changed as little as possible from `before`; None: from what stands at X.

    Clauses that X refused a while ago are left out; a packed filter that X refused is parted, until the bad
    clause stands alone. Where nothing of the basis has changed, this is `before` itself.
    """
    owner = Goal(limits.collection, {}, limits.policy, limits.filters)
    refused = standing.refusals(now)
    foreign = _foreign(standing, owner, [group.demand for group in groups])
    allowance = Allowance(max(0, limits.filters - foreign), limits.length)
    basis = Basis(tuple(groups), limits, allowance, refused)
    if before is not None and before.basis == basis:
        return before
    suffixes = _refused_suffixes([group.demand for group in groups], refused, standing)
    bad = {group.group: _refused_of(group.demand, refused, suffixes) for group in groups}
    denied = [clause for clauses in bad.values() for clause in clauses]
    demands = tuple(_without(group.demand, bad[group.group]) for group in groups)
    stood = filters_before(standing, owner, demands) if before is None else before.composition.filters
    found = _parted(compose(demands, allowance, stood), refused)
    reasons: dict[GroupId, dict[Clause, str]] = {}
    for one in found.waiting:
        (reasons.setdefault(one.group, {}) if one.fits else bad[one.group])[one.clause] = one.reason
    return Composed(
        found,
        Goal.of(found, limits.collection, limits.policy, limits.filters, denied),
        demands,
        tuple(_by_rule(groups, reasons)),
        (*(rule for group in groups for rule in group.refused), *_by_rule(groups, bad)),
        {group.group: frozenset({*bad[group.group], *reasons.get(group.group, ())}) for group in groups},
        suffixes,
        basis,
    )


def _foreign(standing: Standing, owner: Goal, demands: Iterable[Demand]) -> int:
    """Return how many filters of others take room; those of the very value that is wanted are used."""
    found = owner.not_owned(standing)
    if not found:
        return 0
    wanted = {filter_text([clause], one.suffix) for one in demands for clause in one.clauses}
    return sum(one.value not in wanted for one in found)


def _refused_suffixes(
    demands: Iterable[Demand], refused: Mapping[str, str], standing: Standing
) -> dict[str, str]:
    """Return the wanted suffixes that X takes with no clause, with its reason."""
    clauses: Counter[str] = Counter()
    for demand in demands:
        clauses[demand.suffix] += len(demand.clauses)
    wrong = wrong_suffixes(refused, standing, clauses) if any(clauses) else {}
    return {suffix: why for suffix, why in wrong.items() if suffix in clauses}


def _refused_of(demand: Demand, refused: Mapping[str, str], suffixes: Mapping[str, str]) -> dict[Clause, str]:
    """Return the clauses that X refused, or would with this suffix, with its reasons."""
    if (why := suffixes.get(demand.suffix)) is not None:
        return dict.fromkeys(demand.clauses, why)
    return _refused_alone(demand, refused)


def _refused_alone(demand: Demand, refused: Mapping[str, str]) -> dict[Clause, str]:
    """Return the clauses that X refused when they stood alone, with its reasons."""
    read = ((read_value(value), reason) for value, reason in refused.items())
    alone = [(one, reason) for one, reason in read if one is not None and len(one.clauses) == 1]
    found = {one.clauses[0]: reason for one, reason in alone if one.suffix == demand.suffix}
    return {clause: reason for clause, reason in found.items() if clause in demand.clauses}


def _without(demand: Demand, bad: Mapping[Clause, str]) -> Demand:
    if not bad:
        return demand
    return demand.changed(dict.fromkeys(bad, ()))


def _parted(found: Composition, refused: Mapping[str, str]) -> Composition:
    if not refused or not any(one.text in refused for one in found.filters):
        return found
    return replace(found, filters=tuple(part for one in found.filters for part in _parts(one, refused)))


def _parts(one: Filter, refused: Mapping[str, str]) -> Iterator[Filter]:
    if one.text not in refused or not one.is_packed:
        yield one
        return
    middle = len(one.clauses) // 2
    for clauses in (one.clauses[:middle], one.clauses[middle:]):
        yield from _parts(Filter(one.group, clauses, one.suffix), refused)


def _by_rule(
    groups: Iterable[Translated], reasons: Mapping[GroupId, Mapping[Clause, str]]
) -> Iterator[Rejected]:
    """Yield the rules with such a clause, with the reason of the first."""
    for group in groups:
        of_group = reasons.get(group.group)
        if not of_group:
            continue
        for rule in group.rules:
            if why := next((of_group[one] for one in group.clauses_of(rule) if one in of_group), None):
                yield Rejected(rule.key, rule.group, why)
