"""The rules that an app's filters find posts for now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain

from traptor.common.rules.rule import GroupId, Rule, fingerprint
from traptor.supervisor.apps.wanted.said import Said, filters_in_effect
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.filters.composition import Demand
from traptor.supervisor.filters.language.clauses import Clause
from traptor.supervisor.filters.sync.goal import read_value
from traptor.supervisor.filters.sync.standing import Standing


@dataclass(frozen=True)
class InEffect:
    """Rules all of whose values have a filter in effect."""

    rules: tuple[Rule, ...] = field(default=(), repr=False)
    fingerprint: str = fingerprint(())
    groups: frozenset[GroupId] = frozenset()  # those with such a rule
    # the others whose filters X brings into effect, and when the first of them is (monotonic seconds)
    acting: Mapping[GroupId, float] = field(default_factory=dict)
    said: Said = field(default_factory=Said, repr=False, compare=False)  # what it follows from
    unsaid: Mapping[Demand, frozenset[Clause]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def acts_at(self) -> float | None:
        """When the first of them is in effect; None: none is on its way."""
        return min(self.acting.values(), default=None)


def in_effect(
    groups: Sequence[Translated], standing: Standing, now: float, earlier: InEffect | None = None
) -> InEffect:
    """Return the rules of these groups that are in effect, in the order of the groups.

    A filter counts for every group that wants one of its clauses with its suffix, whosever it is. What was
    known at an `earlier` time is not worked out again.
    """
    earlier = earlier if earlier is not None else InEffect()
    said, changed = earlier.said.after(filters_in_effect(standing, now))
    before = {demand.group: (demand, unsaid) for demand, unsaid in earlier.unsaid.items()}
    unsaid = {
        group.demand: _unsaid(group.demand, said, changed, *before.get(group.group, (None, frozenset())))
        for group in groups
    }
    found = {group.group: _without(group, unsaid[group.demand]) for group in groups}
    rules = tuple(chain.from_iterable(found.values()))
    digests = earlier.fingerprint if rules == earlier.rules else fingerprint(rules)
    with_rules = frozenset(group for group, its in found.items() if its)
    acting = _acting([group.demand for group in groups if group.group not in with_rules], standing, now)
    return InEffect(rules, digests, with_rules, acting, said, unsaid)


def _acting(demands: Sequence[Demand], standing: Standing, now: float) -> dict[GroupId, float]:
    """Return when the first filter of each of these groups is in effect, where one is on its way."""
    pending = standing.pending(now)
    if not demands or not pending:
        return {}
    times: dict[tuple[str, Clause], float] = {}
    for key, at in pending.items():
        if (read := read_value(standing.as_written[key].value)) is not None:
            for clause in read.clauses:
                times[read.suffix, clause] = min(at, times.get((read.suffix, clause), at))
    found = {
        one.group: min(
            (times[one.suffix, clause] for clause in one.clauses if (one.suffix, clause) in times),
            default=None,
        )
        for one in demands
    }
    return {group: at for group, at in found.items() if at is not None}


def _unsaid(
    demand: Demand,
    said: Said,
    changed: AbstractSet[Clause],
    before: Demand | None,
    unsaid: AbstractSet[Clause],
) -> frozenset[Clause]:
    """Return the clauses that no filter says: some of those not said before, of new and of changed ones."""
    by_filters = said.by(demand.suffix)
    if before is None or before.suffix != demand.suffix:
        doubtful: Iterable[Clause] = demand.clauses
    else:
        new = demand.clauses.keys() - before.clauses.keys() if demand is not before else frozenset[Clause]()
        doubtful = {*unsaid, *changed, *new}
    return frozenset([one for one in doubtful if one not in by_filters and one in demand.clauses])


def _without(group: Translated, unsaid: AbstractSet[Clause]) -> Sequence[Rule]:
    if not unsaid:
        return group.rules
    values = {value for clause in unsaid for value in group.demand.clauses[clause]}
    return [rule for rule in group.rules if values.isdisjoint(rule.values)]


def next_effect(standing: Standing, now: float) -> float | None:
    """Return when the next filter is taken to be in effect, if any is not yet."""
    return min(standing.pending(now).values(), default=None)
