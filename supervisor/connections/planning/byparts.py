"""Plan for v1.1: each group is a connection of its own, or several parts beyond the limit of one.

Level-triggered: `plan` follows from the groups as they are now and from what streams now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from traptor.common.birth import WorkerSettings
from traptor.common.placement.assignment import Assignment
from traptor.common.placement.parts import assign, connection_name, hold
from traptor.common.rules.rule import GroupId, Rule, fingerprint
from traptor.supervisor.connections.connection import Connection, WantedGeneration
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.roll import Roll
from traptor.supervisor.rules.groups import Group, Groups
from traptor.supervisor.workers.spec import Spec


@dataclass(frozen=True, slots=True)
class _Carried:
    """The rules that a part was last to carry, and what they were made from."""

    keys: frozenset[str]
    revision: int
    rules: tuple[Rule, ...]
    fingerprint: str


@dataclass
class _Plan:
    """The decisions for one group.

    What was worked out from each rule is kept: whatever the master touches again after a fork is copied, and
    the worker alone has what was shared.
    """

    group: Group
    assignment: Assignment | None = None
    assigned_revision: int | None = None  # of the rules that are assigned
    carried: dict[int, _Carried] = field(default_factory=dict)  # by part
    # its rules and what ran at the last planning; None: plan afresh
    made_for: tuple[object, ...] | None = None


class PartPlanner:
    """Keeps the connections of the groups, and decides what each of them should carry."""

    def __init__(self, context: Context, groups: Groups, roll: Roll) -> None:
        self._context = context
        self._groups = groups
        self.roll = roll
        self._plans: dict[GroupId, _Plan] = {}

    def invalidate(self) -> None:
        """Plan every group afresh: settings changed."""
        for plan in self._plans.values():
            plan.made_for = None

    def plan(self, now: float) -> None:
        """Set what each connection should carry, as it follows from the rules and from what streams now."""
        self._groups.drop_unserved()
        self._plans = {id_: plan for id_, plan in self._plans.items() if self._groups.get(id_) is plan.group}
        for c in self._context.connections.values():
            if c.group is None or self._groups.get(c.group) is None:
                c.wanted = None
        self._plan_groups([group.id for group in self._groups.all()], now)

    def plan_around(self, names: Collection[str], now: float) -> set[str]:
        """Plan the groups of these connections, and return the connections whose plan changed."""
        connections = self._context.connections
        ids = {connections[name].group for name in names if name in connections}
        return self._plan_groups([id_ for id_ in ids if id_ is not None], now)

    def _plan_groups(self, ids: Iterable[GroupId], now: float) -> set[str]:
        """Plan these groups; those whose rules and streams are as at their last planning are skipped."""
        settings = self._context.worker_settings
        changed: set[str] = set()
        for group_id in ids:
            if (group := self._groups.get(group_id)) is not None:
                before = {part: c.wanted for part, c in self.roll.parts_of(group_id).items()}
                self._plan_group(group, settings, now)
                after = self.roll.parts_of(group_id).items()
                changed.update(c.name for part, c in after if c.wanted is not before.get(part))
        return changed

    # ---- one group

    def _plan_of(self, group: Group) -> _Plan:
        plan = self._plans.get(group.id)
        if plan is None or plan.group is not group:  # a group that disappeared and reappeared is another one
            plan = self._plans[group.id] = _Plan(group)
        return plan

    def _plan_group(self, group: Group, settings: WorkerSettings, now: float) -> None:
        plan, connections = self._plan_of(group), dict(self.roll.parts_of(group.id))
        runs_now = [(part, c.streams, c.serving, c.successor) for part, c in connections.items()]
        if plan.made_for == (made_for := (group.revision, *runs_now)):
            return
        plan.made_for = made_for
        for c in connections.values():
            if c.wanted is not None:
                c.ticket = max(c.ticket, group.asked)
        assignment = _assigned(plan, connections)
        streaming = {part: c.carried for part, c in connections.items() if c.streams}
        successors = {part: c.successor for part, c in connections.items()}
        starting = {part: g.birth.keys for part, g in successors.items() if g is not None}
        wanted = hold(assignment, streaming, starting)
        for part, carries in wanted.items():
            c = connections.get(part) or self._part(group.id, part, now)
            c.held_for = carries.held_for
            if not carries.held_for:
                _want(c, group, _carried(plan, part, carries.keys), settings)
        for part, c in connections.items():
            if part not in wanted:
                c.wanted = None
        if not wanted:
            self._plan_without_rules(group, connections.get(1), settings, now)

    def _plan_without_rules(
        self, group: Group, c: Connection | None, settings: WorkerSettings, now: float
    ) -> None:
        if group.id in self._groups.filter.named:
            nothing = _carried(self._plan_of(group), 1, frozenset())
            _want(c or self._part(group.id, 1, now), group, nothing, settings)
        elif not group.snapshot.rejected and not group.snapshot.inactive:
            self._groups.forget(group.id)

    def _part(self, group: GroupId, part: int, now: float) -> Connection:
        c = self.roll.connection(connection_name(group, part), now)
        assert c is not None
        return c


def _assigned(plan: _Plan, connections: Mapping[int, Connection]) -> Assignment:
    """Return where each rule belongs; the same place as long as rules and limit are the same."""
    group, known = plan.group, plan.assignment
    is_same = plan.assigned_revision == group.revision
    if known is None or not (is_same and known.is_settled and known.limit == group.limit):
        forked = {part: c.forked for part, c in connections.items()}
        known = plan.assignment = assign(list(group.rules.values()), group.limit, known, forked)
        plan.assigned_revision = group.revision
    return known


def _carried(plan: _Plan, part: int, keys: frozenset[str]) -> _Carried:
    """Return what a part is to carry, as it was worked out for the same keys and rules."""
    group, known = plan.group, plan.carried.get(part)
    if known is None or known.keys is not keys or known.revision != group.revision:
        rules = tuple(group.rules[key] for key in sorted(keys))
        known = plan.carried[part] = _Carried(keys, group.revision, rules, fingerprint(rules))
    return known


def _want(c: Connection, group: Group, carried: _Carried, settings: WorkerSettings) -> None:
    if c.wanted is None or c.wanted.spec.rules != carried.fingerprint:
        c.ticket = group.ticket
    spec = Spec(carried.fingerprint, settings.fingerprint, c.ticket, c.orders)
    if c.wanted is None or c.wanted.spec != spec:
        c.wanted = WantedGeneration(carried.rules, settings, spec, carried.keys)
