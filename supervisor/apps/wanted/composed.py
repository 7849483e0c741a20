"""The filters that an app should have: of the groups that it serves, close to what stands at X. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.filters.compose import compose
from traptor.supervisor.filters.composition import Allowance, Composition, Demand, Filter
from traptor.supervisor.filters.language.clauses import Clause, filter_text
from traptor.supervisor.filters.sync.before import filters_before
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal
from traptor.supervisor.filters.sync.standing import Standing


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What an app at X may have, and whose its filters are."""

    collection: str
    policy: ForeignFilters = ForeignFilters.REFUSE
    filters: int = 1_000
    length: int = 1_024


@dataclass(frozen=True)
class Composed:
    """The composition of an app, with what of its groups is missing from it, by rule."""

    composition: Composition
    goal: Goal
    demands: tuple[Demand, ...] = ()
    waiting: tuple[Rejected, ...] = ()  # rules with a clause that no filter has
    refused: tuple[Rejected, ...] = ()  # rules that X's language, or X itself, does not take
    absent: Mapping[GroupId, frozenset[Clause]] = field(default_factory=dict, repr=False)  # in no filter

    @property
    def packed(self) -> int:
        """The number of filters with several clauses."""
        return sum(filters[0].is_packed for filters in self.composition.by_text.values())

    @property
    def single(self) -> int:
        """The number of filters with one clause."""
        return len(self.composition.by_text) - self.packed


def composed(
    groups: Sequence[Translated],
    limits: AppLimits,
    standing: Standing,
    now: float,
    before: Sequence[Filter] | None = None,
) -> Composed:
    """Return the wanted filters, changed as little as possible from `before`; None: from what stands at X.

    Clauses that X refused a while ago are left out; a packed filter that X refused is parted, until the bad
    clause stands alone.
    """
    owner = Goal(limits.collection, {}, limits.policy, limits.filters)
    refused = {value: one.reason for value, one in standing.refused.items() if one.until > now}
    bad = {group.group: _refused_alone(group.demand, refused) for group in groups}
    demands = tuple(_without(group.demand, bad[group.group]) for group in groups)
    if before is None:
        before = filters_before(standing, owner, demands)
    allowance = Allowance(max(0, limits.filters - _foreign(standing, owner, demands)), limits.length)
    found = _parted(compose(demands, allowance, before), refused)
    reasons: dict[GroupId, dict[Clause, str]] = {}
    for one in found.waiting:
        reasons.setdefault(one.group, {})[one.clause] = one.reason
    return Composed(
        found,
        Goal.of(found, limits.collection, limits.policy, limits.filters),
        demands,
        tuple(_by_rule(groups, reasons)),
        (*(rule for group in groups for rule in group.refused), *_by_rule(groups, bad)),
        {group.group: frozenset({*bad[group.group], *reasons.get(group.group, ())}) for group in groups},
    )


def _foreign(standing: Standing, owner: Goal, demands: Iterable[Demand]) -> int:
    """Return how many filters of others take room; those of the very value that is wanted are used."""
    found = [one for one in standing.filters.values() if not owner.owns(one.tag, one.value)]
    if not found:
        return 0
    wanted = {filter_text([clause], one.suffix) for one in demands for clause in one.clauses}
    return sum(one.value not in wanted for one in found)


def _refused_alone(demand: Demand, refused: Mapping[str, str]) -> dict[Clause, str]:
    """Return the clauses that X refused when they stood alone, with its reasons."""
    if not refused:
        return {}
    texts = ((clause, filter_text([clause], demand.suffix)) for clause in demand.clauses)
    return {clause: refused[text] for clause, text in texts if text in refused}


def _without(demand: Demand, bad: Mapping[Clause, str]) -> Demand:
    if not bad:
        return demand
    return replace(demand, clauses={one: values for one, values in demand.clauses.items() if one not in bad})


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
