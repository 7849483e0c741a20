"""Decide which connections should run with which rules, and which of them gets a key first.

Level-triggered: `plan` follows from the groups as they are now and from what streams now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from traptor.common.birth import WorkerSettings
from traptor.common.config.settings import Settings
from traptor.common.placement.assignment import Assignment
from traptor.common.placement.parts import assign, connection_name, hold
from traptor.common.rules.rule import GroupId, fingerprint
from traptor.supervisor.connections.connection import Connection, Wanted
from traptor.supervisor.connections.context import Context
from traptor.supervisor.gaps.interval import Instant, instant
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.rules.groups import Group, Groups
from traptor.supervisor.workers.crashes import CrashBackoff, RestartLimits
from traptor.supervisor.workers.leftovers import parse_connection
from traptor.supervisor.workers.settings import worker_settings
from traptor.supervisor.workers.spec import Spec


@dataclass(frozen=True, slots=True)
class Demand:
    """One connection that needs a key."""

    connection: str
    rules: int
    streaming_since: float | None = None  # monotonic seconds; None: it does not stream

    @classmethod
    def of(cls, c: Connection) -> Demand:
        """Return the demand of a connection as it is now."""
        return cls(c.name, len(c.wanted.rules) if c.wanted else 0, c.streaming_since)


Rank = tuple[bool, float, int, str]


def order_demands(demands: Iterable[Demand]) -> tuple[Demand, ...]:
    """Sort streaming ones by start time (none is ever preempted), the rest by most rules and by name."""
    return tuple(sorted(demands, key=rank))


def rank(demand: Demand) -> Rank:
    """Return the sort key of demands: the lowest comes first."""
    if demand.streaming_since is not None:
        return (False, demand.streaming_since, 0, demand.connection)
    return (True, 0.0, -demand.rules, demand.connection)


def restart_limits(settings: Settings) -> RestartLimits:
    """Return the options for restarts."""
    supervisor = settings.supervisor
    return RestartLimits(
        supervisor.restart_backoff, supervisor.restart_backoff_max, supervisor.restart_reset_after
    )


@dataclass
class _Plan:
    """The decisions for one group."""

    group: Group
    assignment: Assignment | None = None
    # its rules and what ran at the last planning; None: plan afresh
    made_for: tuple[object, ...] | None = None


class Planner:
    """Keeps the connections of the groups, and decides what each of them should carry.

    `timeline_of` returns a connection's timeline, begun at the given time if it has none.
    """

    def __init__(
        self, context: Context, groups: Groups, timeline_of: Callable[[str, Instant], GapTracker]
    ) -> None:
        self._context = context
        self._groups = groups
        self._timeline_of = timeline_of
        self._plans: dict[GroupId, _Plan] = {}
        self._parts: dict[GroupId, dict[int, Connection]] = {}

    def invalidate(self) -> None:
        """Plan every group afresh: settings changed."""
        for plan in self._plans.values():
            plan.made_for = None

    def plan(self, now: float) -> None:
        """Set what each connection should carry, as it follows from the rules and from what streams now."""
        self._groups.drop_unserved()
        self._plans = {id_: plan for id_, plan in self._plans.items() if self._groups.get(id_) is plan.group}
        for c in self._context.connections.values():
            if self._groups.get(c.group) is None:
                c.wanted = None
        self.plan_groups([group.id for group in self._groups.all()], now)

    def plan_groups(self, ids: Iterable[GroupId], now: float) -> set[str]:
        """Plan these groups only, and return the connections whose plan changed.

        Groups whose rules and streams are the same as at their last planning are skipped.
        """
        settings = worker_settings(self._context.settings)
        changed: set[str] = set()
        for group_id in ids:
            if (group := self._groups.get(group_id)) is not None:
                before = {part: c.wanted for part, c in self._parts_of(group_id).items()}
                self._plan_group(group, settings, now)
                after = self._parts_of(group_id).items()
                changed.update(c.name for part, c in after if c.wanted is not before.get(part))
        return changed

    def forget(self, c: Connection) -> None:
        """Forget a connection that is not planned and has no process."""
        del self._context.connections[c.name]
        parts = self._parts[c.group]
        del parts[c.part]
        if not parts:
            del self._parts[c.group]

    def connection(self, name: str, now: float) -> Connection | None:
        """Return the connection of this name, created if it is not planned; None for an invalid name."""
        if (c := self._context.connections.get(name)) is not None:
            return c
        try:
            return self._new_connection(*parse_connection(name), now)
        except ValueError:
            return None

    def wanted_of_drain_worker(self) -> Wanted:
        """Return the inputs of a generation that streams nothing."""
        settings = worker_settings(self._context.settings)
        return Wanted((), settings, Spec(fingerprint(()), settings.fingerprint, 0))

    # ---- one group

    def _plan_of(self, group: Group) -> _Plan:
        plan = self._plans.get(group.id)
        if plan is None or plan.group is not group:  # a group that disappeared and reappeared is another one
            plan = self._plans[group.id] = _Plan(group)
        return plan

    def _plan_group(self, group: Group, settings: WorkerSettings, now: float) -> None:
        plan, connections = self._plan_of(group), dict(self._parts_of(group.id))
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
            c = connections.get(part) or self._new_connection(group.id, part, now)
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
            _want(c or self._new_connection(group.id, 1, now), group, (), settings)
        elif not group.snapshot.rejected and not group.snapshot.inactive:
            self._groups.forget(group.id)

    def _parts_of(self, group: GroupId) -> Mapping[int, Connection]:
        return self._parts.get(group, {})

    def _new_connection(self, group: GroupId, part: int, now: float) -> Connection:
        name = connection_name(group, part)
        limits = restart_limits(self._context.settings)
        c = Connection(
            name=name,
            group=group,
            part=part,
            crashes=CrashBackoff(limits, self._context.rng),
            refresh_crashes=CrashBackoff(limits, self._context.rng),
            gaps=self._timeline_of(name, instant(now)),
        )
        self._context.connections[name] = c
        self._parts.setdefault(group, {})[part] = c
        return c


def _want(c: Connection, group: Group, keys: Iterable[str], settings: WorkerSettings) -> None:
    rules = tuple(group.rules[key] for key in sorted(keys))
    rules_print = fingerprint(rules)
    if c.wanted is None or c.wanted.spec.rules != rules_print:
        c.ticket = group.ticket
    spec = Spec(rules_print, settings.fingerprint, c.ticket)
    if c.wanted is None or c.wanted.spec != spec:
        c.wanted = Wanted(rules, settings, spec)
