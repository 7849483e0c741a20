"""The groups that this host serves, and their rules: each look at Redis replaces a snapshot."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Protocol

from traptor.common.config.settings import GroupFilter, Settings
from traptor.common.logs.event import fields
from traptor.common.rules.rule import GroupId, Limits, Rejected, Rule
from traptor.supervisor.rules.rejections import say_rejected
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.rules.vanished import judge

log = logging.getLogger(__name__)

_MOST_DOUBTS = 20  # logged by rule after one look; a whole group may be written in another language


@dataclass
class Group:
    """One group as of its last look. Times are monotonic seconds."""

    id: GroupId
    snapshot: Snapshot
    limit: int  # of distinct values per connection, as at that look
    rules: dict[str, Rule] = field(default_factory=dict)  # by Redis key
    revision: int = 0  # counts up with every change that affects the plan
    ticket: int = 0  # of the hints that the snapshot answers
    asked: int = 0  # the ticket of the last hint that refreshes all parts even without a change
    missing: frozenset[str] = frozenset()  # rules that the last look did not find
    suspect: bool = False
    changed_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class LookStart:
    """What a look begins with: whatever comes after that is for the next one.

    `tickets` are how often each group was hinted at until then.
    """

    hinted: Set[GroupId]
    is_of_all: bool
    tickets: Mapping[GroupId, int]
    limits: Limits


class Configured(Protocol):
    """Holds the settings in force; a reload replaces them."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""


class Groups:
    """Holds all groups of this host as of their last look."""

    def __init__(self, configured: Configured) -> None:
        self._configured = configured
        self._groups: dict[GroupId, Group] = {}
        self._by_name: tuple[Group, ...] | None = None  # None: to be sorted when somebody asks
        self._tickets: Counter[GroupId] = Counter()
        self.are_known = False  # True once this master has read Redis
        self.strays: tuple[Rejected, ...] = ()

    @property
    def filter(self) -> GroupFilter:
        """The filter of the groups that this host serves."""
        return self._configured.settings.traptor.groups

    def all(self) -> tuple[Group, ...]:
        """Return the groups, by name."""
        if self._by_name is None:
            self._by_name = tuple(self._groups[group] for group in sorted(self._groups))
        return self._by_name

    def get(self, group: GroupId) -> Group | None:
        """Return the group of this id, if it is known."""
        return self._groups.get(group)

    @property
    def check_interval_s(self) -> float:
        """The interval of looks at all groups without a hint."""
        return self._configured.settings.supervisor.rules_check_interval

    @property
    def honours_status(self) -> bool:
        """True when rules switched off by their status are left out."""
        return self._configured.settings.supervisor.honour_status

    # ---- Redis

    def hint(self, group: GroupId) -> None:
        """Record a hint for this group."""
        self._tickets[group] += 1

    def begin_look(self, hinted: Set[GroupId], *, is_of_all: bool) -> LookStart:
        """Return what a look at these groups, or at all of them, begins with."""
        return LookStart(hinted, is_of_all, dict(self._tickets), limits_of(self._configured.settings))

    def take_look(self, start: LookStart, seen: Mapping[GroupId, Snapshot], now: float) -> None:
        """Store the result of a look."""
        self.are_known |= start.is_of_all
        hinted = start.hinted
        expected = {*hinted, *self.filter.named, *self._groups} if start.is_of_all else hinted
        empty = {group: Snapshot.empty(group, now) for group in expected - seen.keys()}
        for group_id, snapshot in sorted({**empty, **seen}.items()):
            if not self.filter.serves(group_id):
                continue
            group, limit = self._groups.get(group_id), start.limits.of(group_id.type)
            if group is None:
                if snapshot.is_empty and group_id not in self.filter.named:
                    self._tickets.pop(group_id, None)  # hints may name any group
                    continue
                group = self._groups[group_id] = Group(group_id, Snapshot.empty(group_id, now), limit)
                self._by_name = None
            if group.limit != limit:
                group.limit = limit
                group.revision += 1
            self._take_snapshot(group, snapshot, group_id in hinted, start.tickets.get(group_id, 0), now)

    def _take_snapshot(self, group: Group, seen: Snapshot, hinted: bool, ticket: int, now: float) -> None:
        judged = judge(group.snapshot, seen, group.missing, hinted)
        _say(group, judged.suspect, judged.snapshot)
        group.missing, group.suspect = judged.missing, judged.suspect
        group.ticket = ticket
        if judged.snapshot.fingerprint != group.snapshot.fingerprint:
            group.rules = {rule.key: rule for rule in judged.snapshot.rules}
            group.changed_at = now
            group.revision += 1
        elif hinted and now - group.changed_at >= self._configured.settings.supervisor.refresh_min_interval:
            group.asked = ticket
            group.revision += 1
        group.snapshot = judged.snapshot

    def take_strays(self, strays: Sequence[Rejected]) -> None:
        """Store the keys that look like rules' keys but belong to no group."""
        say_rejected(self.strays, strays)
        self.strays = tuple(strays)

    # ---- for the plan

    def drop_unserved(self) -> None:
        """Forget the groups that this host does not serve any more."""
        for id_ in [id_ for id_ in self._groups if not self.filter.serves(id_)]:
            self.forget(id_)

    def forget(self, group: GroupId) -> None:
        """Forget a group that has nothing to stream."""
        del self._groups[group]
        self._by_name = None


def limits_of(settings: Settings) -> Limits:
    """Return the limits on the values of one connection."""
    twitter = settings.twitter
    return Limits(twitter.follow_limit, twitter.track_limit, twitter.locations_limit)


def _say(group: Group, suspect: bool, snapshot: Snapshot) -> None:
    if suspect and not group.suspect:
        log.error(
            "rules suspect",
            extra=fields(
                group=group.id,
                known=len(group.snapshot.rules),
                what="Redis no longer has any of them; the known ones stream on until a hint names the group",
            ),
        )
    if group.suspect and not suspect:
        log.info("rules are no longer suspect", extra=fields(group=group.id, known=len(snapshot.rules)))
    say_rejected(group.snapshot.rejected, snapshot.rejected)
    doubts = {(rule.key, rule.doubt) for rule in group.snapshot.doubtful}
    new = [rule for rule in snapshot.doubtful if (rule.key, rule.doubt) not in doubts]
    for rule in new[:_MOST_DOUBTS]:
        log.warning("rule doubtful", extra=fields(key=rule.shown_key, reason=rule.doubt))
    if (more := len(new) - _MOST_DOUBTS) > 0:
        log.warning("more rules doubtful", extra=fields(group=group.id, rules=more, see="--plan --json"))
