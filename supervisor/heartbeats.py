"""The heartbeats that rule managers look at: `<type>:<id>:heartbeat`, as the original Traptor wrote them.

A group beats while any part of it streams, and while it has no rules: a manager gives work to groups that
beat. A group whose rules are all waiting does not, and that is said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import redis.asyncio
import redis.exceptions

from traptor.common.logs.event import fields
from traptor.common.redisclient import REDIS_ERRORS, ask, done
from traptor.common.rules import GroupId
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.workers.leftovers import parse_connection

log = logging.getLogger(__name__)

LIFETIMES = 1.5
"""A heartbeat expires after so many intervals."""
_LOOKS = 5
"""In an interval: a group that was silent for a moment does not miss its next beat altogether."""


@dataclass(slots=True)
class _Beat:
    """One group's last beat, and since when it is silent (monotonic seconds)."""

    written_at: float | None = None
    silent_since: float | None = None
    why: str = ""
    is_said: bool = False


class Pulse:
    """Which groups are due for a heartbeat, and which have missed one. Pure; the time is passed in."""

    def __init__(self) -> None:
        self._beats: dict[GroupId, _Beat] = {}

    def look(self, silences: Iterable[tuple[GroupId, str]], now: float) -> None:
        """Take over which groups there are, each with why it may not beat ("": it may)."""
        beats = {}
        for group, why in silences:
            beat = beats[group] = self._beats.get(group) or _Beat()
            beat.silent_since = None if not why else now if beat.silent_since is None else beat.silent_since
            beat.why = why
        self._beats = beats

    def due(self, interval_s: float, now: float) -> tuple[GroupId, ...]:
        """Return the groups that may beat and last did so an interval ago, or never."""
        return tuple(
            group
            for group, beat in self._beats.items()
            if not beat.why and (beat.written_at is None or beat.written_at + interval_s <= now)
        )

    def written(self, groups: Iterable[GroupId], now: float) -> None:
        """Note a heartbeat of these groups."""
        for group in groups:
            self._beats[group].written_at = now

    def withheld(self) -> dict[GroupId, str]:
        """Return the groups that do not beat now, and why."""
        return {group: beat.why for group, beat in self._beats.items() if beat.why}

    def missed(self, interval_s: float, now: float) -> Iterator[tuple[GroupId, str]]:
        """Yield each group once whose heartbeat has expired, or never was, as it is withheld; and why."""
        for group, beat in self._beats.items():
            if beat.silent_since is None or beat.is_said:
                continue
            since = beat.silent_since if beat.written_at is None else beat.written_at
            if now >= since + LIFETIMES * interval_s:
                beat.is_said = True
                yield group, beat.why

    def recovered(self) -> Iterator[GroupId]:
        """Yield each group once that beats again after it was said to have missed."""
        for group, beat in self._beats.items():
            if beat.is_said and not beat.why:
                beat.is_said = False
                yield group


class Heartbeats:
    """Writes the heartbeats of one master."""

    def __init__(self, context: Context, groups: Groups, ledger: Ledger, client: redis.asyncio.Redis) -> None:
        self._context = context
        self._groups = groups
        self._ledger = ledger
        self._redis = client
        self._pulse = Pulse()
        self._is_refused = False

    @property
    def withheld(self) -> dict[GroupId, str]:
        """The groups that have no heartbeat now, and why."""
        return self._pulse.withheld()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            interval_s = self._context.settings.supervisor.heartbeat_interval
            if not self._context.stopping:
                await self._beat(interval_s)
            await asyncio.sleep(interval_s / _LOOKS)

    async def _beat(self, interval_s: float) -> None:
        now = time.monotonic()
        connections = self._context.connections.values()
        self._pulse.look(silences([g.id for g in self._groups.all()], connections, self._emptied(now)), now)
        for group, why in self._pulse.missed(interval_s, now):
            log.warning("heartbeat withheld", extra=fields(group=group, why=why))
        for group in self._pulse.recovered():
            log.info("heartbeat is written again", extra=fields(group=group))
        if due := self._pulse.due(interval_s, now):
            await self._write(due, interval_s, now)

    def _emptied(self, now: float) -> list[GroupId]:
        """The groups that lost their last rule not long ago."""
        keep_s = self._context.settings.supervisor.heartbeat_empty
        lately = [name for name, since in self._ledger.unplanned() if now - since.mono < keep_s]
        return [group for name in lately if (group := _group(name)) and self._groups.filter.serves(group)]

    async def _write(self, groups: Sequence[GroupId], interval_s: float, now: float) -> None:
        try:
            await write_heartbeats(self._redis, groups, interval_s)
        except REDIS_ERRORS as error:
            self._say_refused(error)
        else:
            self._pulse.written(groups, now)
            self._is_refused = False

    def _say_refused(self, error: Exception) -> None:
        """Redis answers and refuses (READONLY, OOM, NOPERM); that it is away is said by who reads rules."""
        if isinstance(error, redis.exceptions.ResponseError) and not self._is_refused:
            said = f"{type(error).__name__}: {error}"
            log.error("heartbeats are refused, nobody sees that groups are served", extra=fields(error=said))
            self._is_refused = True


async def write_heartbeats(client: redis.asyncio.Redis, groups: Iterable[GroupId], interval_s: float) -> None:
    """Set one expiring key per group. Raises redis-py's errors."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    lifetime_ms = round(interval_s * LIFETIMES * 1000)
    async with client.pipeline(transaction=False) as pipeline:
        for group in groups:
            pipeline.psetex(f"{group}:heartbeat", lifetime_ms, now)
        await ask(client, pipeline.execute(), done(len(pipeline)))


def silences(
    known: Iterable[GroupId], connections: Iterable[Connection], emptied: Iterable[GroupId]
) -> list[tuple[GroupId, str]]:
    """Return every group that should beat, with why it must not: it has rules, and no part of it streams."""
    parts: dict[GroupId, list[Connection]] = {}
    for c in connections:
        if c.is_planned:
            parts.setdefault(c.group, []).append(c)
    groups = dict.fromkeys((*known, *emptied))
    return [(group, _silence(parts.get(group, []))) for group in groups]


def _group(connection: str) -> GroupId | None:
    """The group whose first part the connection is, or None."""
    try:
        group, part = parse_connection(connection)
    except ValueError:
        return None
    return group if part == 1 else None


def _silence(parts: list[Connection]) -> str:
    if any(c.streams for c in parts):
        return ""
    reasons = (c.silence.text for c in parts if c.silence is not None)
    return ", ".join(dict.fromkeys(reasons))
