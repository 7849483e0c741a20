"""Read snapshots from Redis without blocking the event loop: in slices of some milliseconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from itertools import count
from typing import Protocol

import redis.asyncio
from redis.exceptions import ResponseError

from traptor.common.errors import RedisUnavailable
from traptor.common.redis.client import REDIS_ERRORS, ask, hashes, scan_page, unavailable, was_pong
from traptor.common.redis.raw import RawConnection, raw_connection, unpacked
from traptor.common.rules.normalise import Found, decode_fields, parse_key, read_rule
from traptor.common.rules.rule import GroupId, Limits, Rejected, RuleType
from traptor.supervisor.rules.look import Look, LoopPause
from traptor.supervisor.rules.memory import SLICE, LookMemory, Slice, digest_of
from traptor.supervisor.rules.revisions import moved, read_revisions
from traptor.supervisor.rules.snapshot import Snapshot

SCAN_COUNT = 1_000  # keys that Redis examines per SCAN
_MOST_READS = 5  # of a group that is written each time while it is read

Hash = dict[bytes, bytes] | ResponseError


class ServedGroups(Protocol):
    """Tells which groups this host serves."""

    @property
    def named(self) -> frozenset[GroupId]:
        """Groups that exist even when they have no rules."""

    def serves(self, group: GroupId) -> bool:
        """Tell whether this host serves the group."""


class RuleReader:
    """Reads the rules in Redis; `client` must not decode replies.

    `honour_status` and `limits` may be changed; the next look uses them. `strays` are keys of the last full
    look that look like rules', by their type, but name no group or rule.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        *,
        honour_status: bool = True,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._clock = clock
        self.honour_status = honour_status
        self.limits = limits or Limits()
        self.strays: tuple[Rejected, ...] = ()
        self._seen: frozenset[GroupId] = frozenset()  # by the last full look
        self._groups: ServedGroups | None = None  # those of the last full look
        self._read_as: object = None  # how the content of memory was read
        self._memory = LookMemory()

    async def ping(self) -> None:
        """Return when Redis has answered. Raises RedisUnavailable."""
        try:
            await ask(self._client, self._client.ping(), was_pong)
        except REDIS_ERRORS as error:
            raise unavailable(self._client, error) from error

    async def read_group(self, group: GroupId) -> Snapshot:
        """Return the present rules of one group, perhaps none; never some of a change without the others.

        Only what differs from the last look at everything is parsed. Raises RedisUnavailable.
        """
        revision = await self._revisions((group,))
        for _ in range(_MOST_READS):
            snapshot = await self._read_once(group)
            before, revision = revision, await self._revisions((group,))
            if before == revision:
                return snapshot
        raise RedisUnavailable(f"{group} was changed each time it was read; it is read again soon")

    async def read_all(self, groups: ServedGroups) -> dict[GroupId, Snapshot]:
        """Return all served groups that have keys, and those listed by name. Raises RedisUnavailable.

        Only what differs from the last look is parsed. A group that was written meanwhile is read again.
        """
        if (self._groups, self._read_as) != (groups, self._reading):
            self._groups, self._read_as, self._memory = groups, self._reading, LookMemory()
        before = await self._revisions(self._seen or await self._find_groups(groups))
        look = Look(self._clock(), groups.serves, groups.named)
        snapshots = await self._take(look, "traptor-*:*", self._memory)
        self.strays = tuple(look.strays)
        after = await self._revisions(before.keys() | snapshots.keys())
        for group in moved(before, after):
            snapshots[group] = await self.read_group(group)
            if snapshots[group].is_empty and group not in groups.named:
                del snapshots[group]
        self._seen = frozenset(snapshots)
        return dict(sorted(snapshots.items()))

    async def _read_once(self, group: GroupId) -> Snapshot:
        spelling = "location*" if group.type is RuleType.LOCATIONS else group.type
        look = Look(self._clock(), lambda found: found == group, (group,))
        memory = self._memory.lent() if self._read_as == self._reading else LookMemory()
        snapshots = await self._take(look, f"traptor-{spelling}:{group.id}:*", memory)
        return snapshots[group]

    @property
    def _reading(self) -> tuple[bool, Limits]:
        return self.honour_status, self.limits

    async def _find_groups(self, groups: ServedGroups) -> frozenset[GroupId]:
        """Return the groups that have keys now; only the first full look needs to ask."""
        look, memory = Look(self._clock(), groups.serves, groups.named), LookMemory()
        try:
            pages = [look.page(memory, number, keys) async for number, keys in self._scan("traptor-*:*")]
        except REDIS_ERRORS as error:
            raise unavailable(self._client, error) from error
        return frozenset(parse_key(key)[0] for page in pages for key in page.keys)

    async def _revisions(self, groups: Collection[GroupId]) -> dict[GroupId, bytes | None]:
        try:
            return await read_revisions(self._client, groups)
        except REDIS_ERRORS as error:
            raise unavailable(self._client, error) from error

    async def _take(self, look: Look, pattern: str, memory: LookMemory) -> dict[GroupId, Snapshot]:
        pause = LoopPause()
        try:
            pages = [look.page(memory, number, keys) async for number, keys in self._scan(pattern)]
            slices = await memory.slices(pages, pause)
            async with raw_connection(self._client) as connection:
                for part in slices:
                    if not await self._is_as_before(connection, part, pause):
                        memory.snapshots = None
        except REDIS_ERRORS as error:
            raise unavailable(self._client, error) from error
        if memory.snapshots is None:
            memory.snapshots = await look.snapshots(slices, pause)
        began_at = look.began_at
        return {group: replace(known, read_at=began_at) for group, known in memory.snapshots.items()}

    async def _scan(self, pattern: str) -> AsyncIterator[tuple[int, list[bytes]]]:
        """Yield the pages of keys, numbered."""
        cursor = 0
        for number in count():
            page = self._client.scan(cursor, match=pattern, count=SCAN_COUNT)
            cursor, keys = await ask(self._client, page, scan_page)
            yield number, keys
            await asyncio.sleep(0)
            if not cursor:
                return

    async def _is_as_before(self, connection: RawConnection, part: Slice, pause: LoopPause) -> bool:
        """Read a slice; parse it and return False unless its replies are byte for byte the same as before."""
        raw = await ask(self._client, connection.ask(part.commands, len(part.keys)), _as_it_is)
        digest = digest_of(raw) if raw is not None else None
        if digest is not None and digest == part.digest:
            return True
        replies = hashes(len(part.keys))(unpacked(raw)) if raw is not None else None
        if replies is None or any(_is_refusal(reply) for reply in replies):
            replies, digest = await self._hashes(part.keys), None  # redis-py knows which error it is
        found = []
        for number, (key, reply) in enumerate(zip(part.keys, replies, strict=True), start=1):
            if reply != {}:  # gone since the SCAN
                found.append(self._read(key, reply))
            await (asyncio.sleep(0) if number % SLICE == 0 else pause())
        part.digest, part.found = digest, tuple(found)
        return False

    async def _hashes(self, keys: Sequence[str]) -> list[Hash]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hgetall(key)
            return await ask(self._client, pipeline.execute(raise_on_error=False), hashes(len(keys)))

    def _read(self, key: str, reply: Hash) -> Found:
        if isinstance(reply, ResponseError):
            if _is_refusal(reply):
                raise reply
            return Rejected(key, parse_key(key)[0], "not a hash")
        try:
            fields = decode_fields(reply)
        except ValueError as error:
            return Rejected(key, parse_key(key)[0], str(error))
        return read_rule(key, fields, self.honour_status, self.limits)


def _is_refusal(reply: Hash) -> bool:
    """Tell whether the reply is an error unrelated to its key."""
    return isinstance(reply, ResponseError) and not str(reply).startswith("WRONGTYPE")


def _as_it_is(reply: bytes | None) -> bytes | None:
    return reply
