"""Reads snapshots from Redis without holding the event loop: in slices of some milliseconds."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

import redis.asyncio
from redis.exceptions import ResponseError

from traptor.common.normalise import KEY_PREFIX, Found, decode_fields, parse_key, read_rule
from traptor.common.redisclient import REDIS_ERRORS, ask, hashes, scan_page, unavailable
from traptor.common.rules import GroupId, Limits, Rejected, RuleType
from traptor.supervisor.rules.snapshot import Snapshot, SnapshotBuilder

__all__ = ["RuleReader", "Snapshot"]

SCAN_COUNT = 1_000  # keys that Redis looks at per SCAN
_TYPE_PREFIXES = tuple(f"{KEY_PREFIX}{word}:" for word in (*RuleType, "location"))
_HOLD_S = 0.005  # the event loop, at a time
SLICE = 100  # hashes per pipeline: some milliseconds to receive and parse

Hash = dict[bytes, bytes] | ResponseError


class GroupFilter(Protocol):
    """Says which groups this host serves."""

    @property
    def named(self) -> tuple[GroupId, ...]:
        """Groups that exist even when they have no rules."""

    def serves(self, group: GroupId) -> bool:
        """Whether the group is one of ours."""


class RuleReader:
    """Takes looks at the rules in Redis; `client` must not decode replies.

    `honour_status` and `limits` may be set anew; the next look goes by them. `strays` are keys of the last
    full look that are meant for rules, by their type, but name no group or rule.
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

    async def read_group(self, group: GroupId) -> Snapshot:
        """One group as it is now; without rules when there are none. Raises RedisUnavailable."""
        spelling = "location*" if group.type is RuleType.LOCATIONS else group.type
        look = _Look(self._clock(), lambda found: found == group)
        look.expect(group)
        await self._take(look, f"traptor-{spelling}:{group.id}:*")
        return look.snapshots()[group]

    async def read_all(self, groups: GroupFilter) -> dict[GroupId, Snapshot]:
        """All groups that have keys and are served, and those that are named. Raises RedisUnavailable."""
        look = _Look(self._clock(), groups.serves)
        for group in groups.named:
            look.expect(group)
        await self._take(look, "traptor-*:*")
        self.strays = tuple(look.strays)
        return look.snapshots()

    async def _take(self, look: _Look, pattern: str) -> None:
        try:
            batches = [look.choose(keys) async for keys in self._scan(pattern)]
            async for keys in _slices(batches):
                replies = await self._hashes(keys)
                await asyncio.sleep(0)
                held_since = time.monotonic()
                for key, reply in zip(keys, replies, strict=True):
                    if reply != {}:  # gone since the SCAN
                        look.add(self._read(key, reply))
                    if time.monotonic() - held_since > _HOLD_S:  # rules of thousands of values
                        await asyncio.sleep(0)
                        held_since = time.monotonic()
                await asyncio.sleep(0)
        except REDIS_ERRORS as error:
            raise unavailable(self._client, error) from error

    async def _scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        cursor = 0
        while True:
            page = self._client.scan(cursor, match=pattern, count=SCAN_COUNT)
            cursor, keys = await ask(self._client, page, scan_page)
            yield keys
            await asyncio.sleep(0)
            if not cursor:
                return

    async def _hashes(self, keys: list[str]) -> list[Hash]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hgetall(key)
            return await ask(self._client, pipeline.execute(raise_on_error=False), hashes(len(keys)))

    def _read(self, key: str, reply: Hash) -> Found:
        group, _ = parse_key(key)
        if isinstance(reply, ResponseError):
            if str(reply).startswith("WRONGTYPE"):
                return Rejected(key, group, "not a hash")
            raise reply
        try:
            fields = decode_fields(reply)
        except ValueError as error:
            return Rejected(key, group, str(error))
        return read_rule(key, fields, self.honour_status, self.limits)


class _Look:
    """What one pass over Redis has found so far."""

    def __init__(self, began_at: float, serves: Callable[[GroupId], bool]) -> None:
        self._began_at = began_at
        self._serves = serves
        self._builders: dict[GroupId, SnapshotBuilder] = {}
        self.strays: list[Rejected] = []

    def expect(self, group: GroupId) -> None:
        """Let the group exist even when nothing is found of it."""
        self._builders.setdefault(group, SnapshotBuilder(group))

    def choose(self, keys: Iterable[bytes]) -> list[str]:
        """The keys of rules that are wanted, sorted; what only looks like one becomes a stray."""
        return sorted(key for raw in keys if (key := self._checked(raw)) is not None)

    def add(self, found: Found) -> None:
        """Take what a key of `choose` turned out to be."""
        assert found.group is not None
        self.expect(found.group)
        self._builders[found.group].add(found)

    def snapshots(self) -> dict[GroupId, Snapshot]:
        return {group: builder.build(self._began_at) for group, builder in sorted(self._builders.items())}

    def _checked(self, raw: bytes) -> str | None:
        key = raw.decode(errors="backslashreplace")
        if not key.startswith(_TYPE_PREFIXES):
            return None
        try:
            group, _ = parse_key(raw.decode())
        except UnicodeDecodeError:
            self.strays.append(Rejected(key, None, "the key is not UTF-8"))
        except ValueError as error:
            self.strays.append(Rejected(key, None, str(error)))
        else:
            return key if self._serves(group) else None
        return None


async def _slices(batches: list[list[str]]) -> AsyncIterator[list[str]]:
    """The keys of all sorted batches in order, each once (SCAN may repeat itself), in slices."""
    last, piece = None, []
    for key in heapq.merge(*batches):
        if key != last:
            piece.append(key)
            last = key
        if len(piece) == SLICE:
            yield piece
            piece = []
    if piece:
        yield piece
