"""Check Redis for more than usable rules: keys of unknown types, and heartbeats written by somebody else."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import redis.asyncio

from traptor.common.redis.client import REDIS_ERRORS, ask, scan_page, unavailable
from traptor.common.rules.normalise import KEY_PREFIX
from traptor.common.rules.rule import GroupId, RuleType
from traptor.common.text import counted
from traptor.supervisor.heartbeats import read_heartbeats
from traptor.supervisor.pulse import LIFETIMES, Found, Sent

_SCAN_COUNT = 1_000
_KNOWN = (*RuleType, "location")
_MOST_TYPES = 20
_LOOK_S = 0.2


@dataclass
class UnknownTypes:
    """Keys `traptor-<type>:<id>:...` of types that do not exist, counted by type."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, raw: bytes) -> None:
        """Count a key if its type is unknown."""
        key = raw.decode(errors="backslashreplace")
        word, colon, rest = key.removeprefix(KEY_PREFIX).partition(":")
        if key.startswith(KEY_PREFIX) and colon and ":" in rest and word not in _KNOWN:
            self.counts[word] += 1
            self.examples.setdefault(word, key)

    def doubts(self) -> Iterator[str]:
        """Yield a sentence for each type, the most frequent first."""
        for word, count in self.counts.most_common(_MOST_TYPES):
            yield (
                f"{counted(count, 'key')} such as {self.examples[word][:100]}: {word[:40]!r} is not a"
                " type of rule (follow, track or locations), so nothing of it is collected"
            )


async def find_unknown_types(client: redis.asyncio.Redis) -> UnknownTypes:
    """Scan all keys. Raises RedisUnavailable."""
    found = UnknownTypes()
    cursor = -1
    try:
        while cursor:
            page = client.scan(max(cursor, 0), match=f"{KEY_PREFIX}*:*:*", count=_SCAN_COUNT)
            cursor, keys = await ask(client, page, scan_page)
            for key in keys:
                found.add(key)
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error
    return found


async def find_foreign_heartbeats(
    client: redis.asyncio.Redis, groups: Sequence[GroupId], interval_s: float
) -> list[GroupId]:
    """Return groups whose heartbeat is written although no supervisor runs here. Raises RedisUnavailable.

    Heartbeats of a supervisor that has just ended must expire first; so this takes up to the lifetime of a
    heartbeat, but no time when there are none.
    """
    foreign: set[GroupId] = set()
    first: dict[GroupId, Sent] = {}
    ends = time.monotonic() + LIFETIMES * interval_s
    try:
        while True:
            asked_at = time.monotonic()
            now = await _beating(client, groups)
            answered_at = time.monotonic()
            for group, found in now.items():
                sent = first.setdefault(group, Sent(found.value, found.remaining_s, answered_at))
                if found.is_of_another(sent, asked_at):
                    foreign.add(group)
            if not now.keys() - foreign or answered_at >= ends:
                return sorted(foreign)
            await asyncio.sleep(min(_LOOK_S, interval_s / 4))
    except REDIS_ERRORS as error:
        raise unavailable(client, error) from error


async def _beating(client: redis.asyncio.Redis, groups: Sequence[GroupId]) -> dict[GroupId, Found]:
    found = await read_heartbeats(client, groups) if groups else []
    return {group: one for group, one in zip(groups, found, strict=True) if one is not None}
