"""Plan for v1.1: each group is a connection of its own, or several parts beyond the limit of one.

Level-triggered: `plan` follows from the groups as they are now and from what streams now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from traptor.common.birth import WorkerSettings
from traptor.common.placement.assignment import Assignment
from traptor.common.placement.parts import assign, connection_name, hold
from traptor.common.rules.rule import GroupId, fingerprint
from traptor.supervisor.connections.connection import Connection, Wanted
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.roll import Roll
from traptor.supervisor.rules.groups import Group, Groups
from traptor.supervisor.workers.settings import worker_settings
from traptor.supervisor.workers.spec import Spec


@dataclass
class _Plan:
    """The decisions for one group."""

    group: Group
    assignment: Assignment | None = None
    # its rules and what ran at the last planning; None: plan afresh
    made_for: tuple[object, ...] | None = None


class PartPlanner:
    """Keeps the connections of the groups, and decides what each of them should carry."""

    def __init__(self, context: Context, groups: Groups, roll: Roll) -> None:
        self._context = context
        self._groups = groups
        self._roll = roll
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
        settings = worker_settings(self._context.settings)
        changed: set[str] = set()
        for group_id in ids:
            if (group := self._groups.get(group_id)) is not None:
                before = {part: c.wanted for part, c in self._roll.parts_of(group_id).items()}
                self._plan_group(group, settings, now)
                after = self._roll.parts_of(group_id).items()
                changed.update(c.name for part, c in after if c.wanted is not before.get(part))
        return changed

    def forget(self, c: Connection) -> None:
        """Forget a connection that is not planned and has no process."""
        self._roll.forget(c)

    def connection(self, name: str, now: float) -> Connection | None:
        """Return the connection of this name, created if it is not planned; None for an invalid name."""
        return self._roll.connection(name, now)

    def wanted_of_drain_worker(self) -> Wanted:
        """Return the inputs of a generation that streams nothing."""
        return self._roll.wanted_of_drain_worker()

    # ---- one group

    def _plan_of(self, group: Group) -> _Plan:
        plan = self._plans.get(group.id)
        if plan is None or plan.group is not group:  # a group that disappeared and reappeared is another one
            plan = self._plans[group.id] = _Plan(group)
        return plan

    def _plan_group(self, group: Group, settings: WorkerSettings, now: float) -> None:
        plan, connections = self._plan_of(group), dict(self._roll.parts_of(group.id))
        runs_now = [(part, c.streams, c.serving, c.successor) for part, c in connections.items()]
        if plan.made_for == (made_for := (group.revision, *runs_now)):
            return
        plan.made_for = made_for
        for c in connections.values():
            if c.wanted is not None:
                c.ticket = max(c.ticket, group.asked)
        streaming = {part: c.carried for part, c in connections.items() if c.streams}
        forked = {part: c.forked for part, c in connections.items()}
        plan.assignment = assign(list(group.rules.values()), group.limit, plan.assignment, forked)
        successors = {part: c.successor for part, c in connections.items()}
        starting = {part: g.birth.keys for part, g in successors.items() if g is not None}
        wanted = hold(plan.assignment, streaming, starting)
        for part, carries in wanted.items():
            c = connections.get(part) or self._part(group.id, part, now)
            c.held_for = carries.held_for
            if not carries.held_for:
                _want(c, group, carries.keys, settings)
        for part, c in connections.items():
            if part not in wanted:
                c.wanted = None
        if not wanted:
            self._plan_without_rules(group, connections.get(1), settings, now)

    def _plan_without_rules(
        self, group: Group, c: Connection | None, settings: WorkerSettings, now: float
    ) -> None:
        if group.id in self._groups.filter.named:
            _want(c or self._part(group.id, 1, now), group, (), settings)
        elif not group.snapshot.rejected and not group.snapshot.inactive:
            self._groups.forget(group.id)

    def _part(self, group: GroupId, part: int, now: float) -> Connection:
        c = self._roll.connection(connection_name(group, part), now)
        assert c is not None
        return c


def _want(c: Connection, group: Group, keys: Iterable[str], settings: WorkerSettings) -> None:
    rules = tuple(group.rules[key] for key in sorted(keys))
    rules_print = fingerprint(rules)
    if c.wanted is None or c.wanted.spec.rules != rules_print:
        c.ticket = group.ticket
    spec = Spec(rules_print, settings.fingerprint, c.ticket, c.orders)
    if c.wanted is None or c.wanted.spec != spec:
        c.wanted = Wanted(rules, settings, spec)
