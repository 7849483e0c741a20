"""Write the heartbeats that rule managers check: `<type>:<id>:heartbeat`, as the original Traptor wrote them.

A group beats while any part of it streams, and while it has no rules: a manager assigns work to groups that
beat. A group whose rules are all waiting does not beat, and that is logged. Under v2 a rule waits until its
filters are in effect at X.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import redis.asyncio
import redis.exceptions

from traptor.common.config.kinds.v2 import V2
from traptor.common.logs.event import fields
from traptor.common.redis.client import REDIS_ERRORS, ask, done, values_and_lifetimes
from traptor.common.rules.rule import GroupId
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.waits import ACTS_SOON_TEXT, STOPPED_TEXT
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.jobs import pause
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.pulse import LIFETIMES, Found, Pulse, Sent
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.redisuses import Tell
from traptor.supervisor.workers.leftovers import parse_connection

log = logging.getLogger(__name__)

_FOREIGN = "another supervisor or the original serves it: tweets come twice, and keys may be used twice"

_UNPLANNED = "its connection is not planned yet"

_LOOKS = 5
"""In an interval: a group that was silent for a moment does not miss its next beat altogether."""


class Heartbeats:
    """Writes the heartbeats of one master."""

    def __init__(
        self, context: Context, groups: Groups, ledger: Ledger, client: redis.asyncio.Redis, tell: Tell
    ) -> None:
        self._context = context
        self._groups = groups
        self._ledger = ledger
        self._redis = client
        self._tell = tell
        self._pulse = Pulse()
        self._looked_at = -math.inf  # at the heartbeats that are withheld
        self._known_at: dict[GroupId, float] = {}  # v2: when a group last had something in Redis

    @property
    def withheld(self) -> dict[GroupId, str]:
        """The groups that have no heartbeat now, and why."""
        return self._pulse.withheld()

    @property
    def foreign(self) -> frozenset[GroupId]:
        """The groups whose heartbeat is also written by another supervisor, or by the original."""
        return self._pulse.foreign(self._context.settings.supervisor.heartbeat_interval, time.monotonic())

    async def run(self) -> None:
        """Write heartbeats until cancelled."""
        while True:
            interval_s = self._context.settings.supervisor.heartbeat_interval
            if not self._context.stopping:
                await self._beat(interval_s)
            await pause(interval_s / _LOOKS)

    async def _beat(self, interval_s: float) -> None:
        now = time.monotonic()
        connections = self._context.connections.values()
        known = {group.id: bool(group.snapshot.rules) for group in self._groups.all()}
        self._pulse.look(silences(known, connections, self._emptied(now)), now)
        for group, why in self._pulse.missed(interval_s, now):
            level = logging.INFO if why.startswith((STOPPED_TEXT, ACTS_SOON_TEXT)) else logging.WARNING
            log.log(level, "heartbeat withheld", extra=fields(group=group, why=why))
        for group in self._pulse.recovered():
            log.info("heartbeat is written again", extra=fields(group=group))
        if due := self._pulse.due(interval_s, now):
            await self._write(due, interval_s, now)
        if now >= self._looked_at + interval_s and (withheld := tuple(self._pulse.withheld())):
            self._looked_at = now
            await self._look_at(withheld, now)
        for group in self._pulse.newly_foreign(interval_s, now):
            log.warning("somebody else writes this heartbeat", extra=fields(group=group, what=_FOREIGN))

    def _emptied(self, now: float) -> list[GroupId]:
        """Return the groups that lost their last rule not long ago."""
        keep_s = self._context.settings.supervisor.heartbeat_empty
        if self._context.settings.traptor.api == V2:  # no timeline is a group's own
            self._known_at |= dict.fromkeys((group.id for group in self._groups.all()), now)
            self._known_at = {group: at for group, at in self._known_at.items() if now - at < keep_s}
            return [group for group in self._known_at if self._groups.filter.serves(group)]
        lately = [name for name, since in self._ledger.unplanned() if now - since.mono < keep_s]
        return [group for name in lately if (group := _group(name)) and self._groups.filter.serves(group)]

    async def _write(self, groups: Sequence[GroupId], interval_s: float, now: float) -> None:
        try:
            for group, found in zip(groups, await read_heartbeats(self._redis, groups), strict=True):
                self._pulse.found(group, found, now)
            sent = await write_heartbeats(self._redis, groups, interval_s)
        except REDIS_ERRORS as error:
            self._pulse.unanswered(groups)
            self._tell(error)
        else:
            self._pulse.written(groups, now, sent)
            self._tell(None)

    async def _look_at(self, groups: Sequence[GroupId], now: float) -> None:
        """Look for others who write the heartbeats of these groups: they may have the keys, too."""
        try:
            answers = await read_heartbeats(self._redis, groups)
        except REDIS_ERRORS as error:
            self._tell(error)
            return
        self._tell(None)
        answered_at = time.monotonic()
        for group, found in zip(groups, answers, strict=True):
            self._pulse.found(group, found, now)
            self._pulse.seen(group, found, answered_at)


async def read_heartbeats(client: redis.asyncio.Redis, groups: Sequence[GroupId]) -> list[Found | None]:
    """Return the present heartbeats of these groups. Raises redis-py's errors."""
    keys = [heartbeat_key(group) for group in groups]
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.mget(keys)
        for key in keys:
            pipeline.pttl(key)
        replies = await ask(client, pipeline.execute(), values_and_lifetimes(len(groups)))
    return [None if value is None else Found(value, ms / 1000) for value, ms in replies]


async def write_heartbeats(client: redis.asyncio.Redis, groups: Iterable[GroupId], interval_s: float) -> Sent:
    """Set one expiring key per group. Raises redis-py's errors."""
    value = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    lifetime_s = interval_s * LIFETIMES
    async with client.pipeline(transaction=False) as pipeline:
        for group in groups:
            pipeline.psetex(heartbeat_key(group), round(lifetime_s * 1000), value)
        await ask(client, pipeline.execute(), done(len(pipeline)))
    return Sent(value.encode(), lifetime_s, time.monotonic())


def heartbeat_key(group: GroupId) -> str:
    """Return the Redis key that rule managers check."""
    return f"{group}:heartbeat"


def silences(
    known: Mapping[GroupId, bool], connections: Iterable[Connection], emptied: Iterable[GroupId]
) -> list[tuple[GroupId, str]]:
    """Return every group that should beat, with why it must not: it has rules, and none of them streams.

    `known` tells which groups have rules.
    """
    parts: dict[GroupId, list[Connection]] = {}
    for c in connections:
        if c.is_planned:
            for group in c.groups:
                parts.setdefault(group, []).append(c)
    groups = dict.fromkeys((*known, *emptied))
    return [
        (group, _silence(group, parts[group]) if group in parts else _UNPLANNED if known.get(group) else "")
        for group in groups
    ]


def _group(connection: str) -> GroupId | None:
    """Return the group whose first part the connection is, or None."""
    try:
        group, part = parse_connection(connection)
    except ValueError:
        return None
    return group if part == 1 else None


def _silence(group: GroupId, parts: list[Connection]) -> str:
    reasons: list[str] = []
    for c in parts:
        if c.silence is not None:
            reasons.append(c.silence.text)
        elif c.app is not None and (c.in_effect is None or group not in c.in_effect.groups):
            reasons.append(_ineffective(c.in_effect, group))
        else:
            return ""
    return ", ".join(dict.fromkeys(reasons))


def _ineffective(found: InEffect | None, group: GroupId) -> str:
    """Return why none of the group's rules is in effect at X, though its app streams."""
    acts_at = found.acting.get(group) if found is not None else None
    if acts_at is None:
        return "none of its rules has a filter in effect at X"
    return f"{ACTS_SOON_TEXT}: from {datetime.fromtimestamp(instant(acts_at).wall).astimezone():%H:%M:%S} on"
