"""Read rules from Redis when something asks for a look, and pass the snapshots on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from traptor.common.errors import RedisUnavailable
from traptor.common.logs.event import fields
from traptor.common.rules.rule import GroupId
from traptor.supervisor.rules.groups import Groups, LookStart
from traptor.supervisor.rules.reader import RuleReader
from traptor.supervisor.rules.redisuses import Tell
from traptor.supervisor.rules.snapshot import Snapshot

log = logging.getLogger(__name__)

# Minimum distance between looks: a storm of hints must not keep the master reading.
_LOOK_PAUSE_S = 0.25
_RETRY_S = 0.5
_RETRY_MAX_S = 5.0
# With more hinted groups than this, one scan of everything is cheaper than one for each.
_MANY_GROUPS = 3


class RuleWatch:
    """Looks at the groups: hinted ones at once, all of them periodically and on request."""

    def __init__(self, reader: RuleReader, groups: Groups, wake: Callable[[], None], tell: Tell) -> None:
        self._reader = reader
        self._groups = groups
        self._wake = wake
        self._tell = tell
        self._call = asyncio.Event()
        self._hinted: set[GroupId] = set()
        self._all = True
        self._retry_s = _RETRY_S

    def hint(self, group: GroupId) -> None:
        """Look at this group soon."""
        self._groups.hint(group)
        self._hinted.add(group)
        self._call.set()

    def look_at_all(self) -> None:
        """Look at everything soon."""
        self._all = True
        self._call.set()

    def doubt(self) -> None:
        """Have Redis asked soon whether it answers: another use of it failed."""
        self._call.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(_LOOK_PAUSE_S)
            await self._wait_for_call()

    async def _wait_for_call(self) -> None:
        try:
            async with asyncio.timeout(self._groups.check_interval_s):
                await self._call.wait()
        except TimeoutError:
            self._all = True
        self._call.clear()

    async def _look(self) -> None:
        while not await self._looked():
            await asyncio.sleep(self._retry_s)
            self._retry_s = min(self._retry_s * 2, _RETRY_MAX_S)
        self._retry_s = _RETRY_S
        self._wake()

    async def _looked(self) -> bool:
        """Look once and return whether that worked; hints that arrive meanwhile are for the next look."""
        hinted, self._hinted = frozenset(self._hinted), set()
        is_of_all, self._all = self._all or len(hinted) > _MANY_GROUPS, False
        start = self._groups.begin_look(hinted, is_of_all=is_of_all)
        self._reader.limits, self._reader.honour_status = start.limits, self._groups.honours_status
        try:
            seen = await self._read(start)
        except RedisUnavailable as error:
            self._hinted |= hinted
            self._all |= is_of_all
            self._tell(error)
            return False
        self._tell(None)
        self._groups.take_look(start, seen, time.monotonic())
        if is_of_all:
            self._groups.take_strays(self._reader.strays)
        return True

    async def _read(self, start: LookStart) -> dict[GroupId, Snapshot]:
        if start.is_of_all:
            started = time.monotonic()
            seen = await self._reader.read_all(self._groups.filter)
            log.debug("looked at all rules", extra=fields(seconds=round(time.monotonic() - started, 3)))
            return seen
        if not start.hinted:  # Redis is only doubted
            await self._reader.ping()
        return {group: await self._reader.read_group(group) for group in sorted(start.hinted)}
