"""The groups that this host serves: what their rules are, and which connections they need.

Level-triggered: a look at Redis replaces a group's snapshot; `plan` says from snapshots and from what streams
now which connections are wanted, and with which rules.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from traptor.common.backoff import CrashBackoff, RestartLimits
from traptor.common.birth import WorkerSettings
from traptor.common.config.settings import GroupFilter
from traptor.common.logs.event import fields
from traptor.common.placement.assignment import Assignment
from traptor.common.placement.parts import assign, connection_name, hold
from traptor.common.rules.rule import GroupId, Limits, Rejected, Rule, fingerprint
from traptor.supervisor.connections.connection import Connection, Wanted
from traptor.supervisor.connections.context import Context
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.rules.reader import Snapshot
from traptor.supervisor.rules.vanished import judge
from traptor.supervisor.workers.generation import Spec
from traptor.supervisor.workers.leftovers import parse_connection
from traptor.supervisor.workers.settings import limits_of, worker_settings

log = logging.getLogger(__name__)


@dataclass
class Group:
    """One group as last looked at. Times are monotonic seconds."""

    id: GroupId
    snapshot: Snapshot
    limit: int  # of distinct values in a connection, as it was at that look
    rules: dict[str, Rule] = field(default_factory=dict)  # by Redis key
    assignment: Assignment | None = None
    ticket: int = 0  # of the hints that the snapshot answers
    missing: frozenset[str] = frozenset()  # rules that the last look did not find
    suspect: bool = False
    changed_at: float = -math.inf
    planned_for: tuple[object, ...] | None = None  # what ran at the last planning; None: plan anew


class Groups:
    """All groups of this host, and the planning of their connections."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._groups: dict[GroupId, Group] = {}
        self._tickets: Counter[GroupId] = Counter()
        self.are_known = False  # Redis was read by this master
        self._parts: dict[GroupId, dict[int, Connection]] = {}
        self.strays: tuple[Rejected, ...] = ()

    @property
    def filter(self) -> GroupFilter:
        """Which groups this host serves."""
        return self._context.settings.traptor.groups

    def all(self) -> tuple[Group, ...]:
        """The groups, by name."""
        return tuple(self._groups[group] for group in sorted(self._groups))

    @property
    def check_interval_s(self) -> float:
        """How often all groups are looked at without a hint."""
        return self._context.settings.supervisor.rules_check_interval

    @property
    def honours_status(self) -> bool:
        """Whether rules that their status switches off are left out."""
        return self._context.settings.supervisor.honour_status

    def limits(self) -> Limits:
        """How many values one connection carries."""
        return limits_of(self._context.settings)

    # ---- Redis

    def hint(self, group: GroupId) -> None:
        """Somebody asked for this group to be looked at."""
        self._tickets[group] += 1

    def tickets(self) -> Mapping[GroupId, int]:
        """How often each group was asked for until now."""
        return dict(self._tickets)

    def take_look(
        self,
        seen: Mapping[GroupId, Snapshot],
        hinted: Set[GroupId],
        tickets: Mapping[GroupId, int],
        limits: Limits,
        *,
        everything: bool,
        now: float,
    ) -> None:
        """Take over what a look found; `tickets` and `limits` are those of the time when it began."""
        self.are_known |= everything
        expected = {*hinted, *self.filter.named, *self._groups} if everything else hinted
        empty = {group: Snapshot.empty(group, now) for group in expected - seen.keys()}
        for group_id, snapshot in sorted({**empty, **seen}.items()):
            if not self.filter.serves(group_id):
                continue
            group = self._groups.get(group_id)
            if group is None:
                if snapshot.is_empty and group_id not in self.filter.named:
                    self._tickets.pop(group_id, None)  # anybody may hint at anything
                    continue
                group = self._groups[group_id] = Group(
                    group_id, Snapshot.empty(group_id, now), limits.of(group_id.type)
                )
            if group.limit != limits.of(group_id.type):
                group.limit, group.planned_for = limits.of(group_id.type), None
            self._take_snapshot(group, snapshot, group_id in hinted, tickets.get(group_id, 0), now)

    def _take_snapshot(self, group: Group, seen: Snapshot, hinted: bool, ticket: int, now: float) -> None:
        verdict = judge(group.snapshot, seen, group.missing, hinted)
        _say(group, verdict.suspect, verdict.snapshot)
        group.missing, group.suspect = verdict.missing, verdict.suspect
        group.ticket = ticket
        if verdict.snapshot.fingerprint != group.snapshot.fingerprint:
            group.rules = {rule.key: rule for rule in verdict.snapshot.rules}
            group.changed_at, group.planned_for = now, None
        elif hinted and now - group.changed_at >= self._context.settings.supervisor.refresh_min_interval:
            self._refresh_all_parts(group)
        group.snapshot = verdict.snapshot

    def _refresh_all_parts(self, group: Group) -> None:
        """Nothing changed, but somebody asked."""
        for c in self._parts_of(group.id).values():
            if c.wanted is not None:
                c.ticket = group.ticket
        group.planned_for = None

    def take_strays(self, strays: Sequence[Rejected]) -> None:
        """Take over which keys a look found that look like rules' and belong to no group."""
        known = {rule.key for rule in self.strays}
        for rule in strays:
            if rule.key not in known:
                log.warning("rule rejected", extra=fields(key=rule.shown_key, reason=rule.reason))
        self.strays = tuple(strays)

    # ---- the plan

    def invalidate(self) -> None:
        """Settings changed: plan every group anew."""
        for group in self._groups.values():
            group.planned_for = None

    def plan(self, now: float) -> None:
        """Set what each connection should carry, as it follows from the rules and from what streams now."""
        for group_id in [group_id for group_id in self._groups if not self.filter.serves(group_id)]:
            del self._groups[group_id]
        for c in self._context.connections.values():
            if c.group not in self._groups:
                c.wanted = None
        self.plan_groups(list(self._groups), now)

    def plan_groups(self, ids: Iterable[GroupId], now: float) -> set[str]:
        """Do the same for these groups alone, and return the connections whose plan is another now.

        Groups whose rules and streams are as they were at their last planning are left alone.
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

    def _plan_group(self, group: Group, settings: WorkerSettings, now: float) -> None:
        connections = dict(self._parts_of(group.id))
        runs_now = tuple((part, c.streams, c.serving, c.successor) for part, c in connections.items())
        if group.planned_for == runs_now:
            return
        group.planned_for = runs_now
        streaming = {part: c.carried for part, c in connections.items() if c.streams}
        forked = {part: c.forked for part, c in connections.items()}
        group.assignment = assign(list(group.rules.values()), group.limit, group.assignment, forked)
        starting = {
            part: c.successor.birth.keys for part, c in connections.items() if c.successor is not None
        }
        wanted = hold(group.assignment, streaming, starting)
        for part, carries in wanted.items():
            c = connections.get(part) or self._new_connection(group.id, part, now)
            c.held_for = carries.held_for
            if not carries.held_for:
                self._want(c, group, carries.keys, settings)
        for part, c in connections.items():
            if part not in wanted:
                c.wanted = None
        if not wanted:
            self._plan_without_rules(group, connections.get(1), settings, now)

    def _plan_without_rules(
        self, group: Group, c: Connection | None, settings: WorkerSettings, now: float
    ) -> None:
        if group.id in self.filter.named:
            self._want(c or self._new_connection(group.id, 1, now), group, (), settings)
        elif not group.snapshot.rejected and not group.snapshot.inactive:
            del self._groups[group.id]

    def _want(self, c: Connection, group: Group, keys: Iterable[str], settings: WorkerSettings) -> None:
        rules = tuple(group.rules[key] for key in sorted(keys))
        rules_print = fingerprint(rules)
        if c.wanted is None or c.wanted.spec.rules != rules_print:
            c.ticket = group.ticket
        spec = Spec(rules_print, settings.fingerprint, c.ticket)
        if c.wanted is None or c.wanted.spec != spec:
            c.wanted = Wanted(rules, settings, spec)

    def forget(self, c: Connection) -> None:
        """Forget a connection that is not planned and has no process."""
        del self._context.connections[c.name]
        parts = self._parts[c.group]
        del parts[c.part]
        if not parts:
            del self._parts[c.group]

    def connection(self, name: str, now: float) -> Connection | None:
        """The connection of this name, made where it is not planned; None when it is no name of one."""
        if (c := self._context.connections.get(name)) is not None:
            return c
        try:
            return self._new_connection(*parse_connection(name), now)
        except ValueError:
            return None

    def wanted_of_drain_worker(self) -> Wanted:
        """What a generation is made from that streams nothing."""
        settings = worker_settings(self._context.settings)
        return Wanted((), settings, Spec(fingerprint(()), settings.fingerprint, 0))

    def _parts_of(self, group: GroupId) -> Mapping[int, Connection]:
        return self._parts.get(group, {})

    def _new_connection(self, group: GroupId, part: int, now: float) -> Connection:
        name = connection_name(group, part)
        limits = restart_limits(self._context)
        c = Connection(
            name=name,
            group=group,
            part=part,
            crashes=CrashBackoff(limits, self._context.rng),
            refresh_crashes=CrashBackoff(limits, self._context.rng),
            gaps=self._context.timeline_of(name, instant(now)),
        )
        self._context.connections[name] = c
        self._parts.setdefault(group, {})[part] = c
        return c


def restart_limits(context: Context) -> RestartLimits:
    """The options for restarts."""
    supervisor = context.settings.supervisor
    return RestartLimits(
        supervisor.restart_backoff, supervisor.restart_backoff_max, supervisor.restart_reset_after
    )


def _say(group: Group, suspect: bool, snapshot: Snapshot) -> None:
    if suspect and not group.suspect:
        log.error(
            "rules suspect",
            extra=fields(
                group=group.id,
                known=len(group.snapshot.rules),
                what="Redis has none any more, the known ones stream on; a hint for the group ends this",
            ),
        )
    if group.suspect and not suspect:
        log.info("rules are no longer suspect", extra=fields(group=group.id, known=len(snapshot.rules)))
    known = {(rejected.key, rejected.reason) for rejected in group.snapshot.rejected}
    for rejected in snapshot.rejected:
        if (rejected.key, rejected.reason) not in known:
            log.warning("rule rejected", extra=fields(key=rejected.shown_key, reason=rejected.reason))
    doubts = {(rule.key, rule.doubt) for rule in group.snapshot.doubtful}
    for rule in snapshot.doubtful:
        if (rule.key, rule.doubt) not in doubts:
            log.warning("rule doubtful", extra=fields(key=rule.shown_key, reason=rule.doubt))
