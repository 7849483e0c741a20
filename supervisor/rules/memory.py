"""Keep what the last look at all rules read, so that the next one parses only what differs.

Each look asks Redis for everything, but compares replies as bytes, by a digest of each slice of some hundred
rules: only a slice that differs is parsed. A rule costs about 100 bytes here: its command, its place in the
slice, and its share of the digest.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import msgspec

from traptor.common.redis.raw import hgetall
from traptor.common.rules.normalise import Found
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.rules.snapshot import Snapshot

SLICE = 100
"""Hashes that are read together, on average: some milliseconds to receive and parse."""
MOST_IN_SLICE = 3 * SLICE
_DIGEST_BYTES = 16


def digest_of(content: bytes) -> bytes:
    """Return a digest that differs when the content does."""
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()


def digest_of_page(raw_keys: Sequence[bytes]) -> bytes:
    """Return a digest that differs when the keys do."""
    return digest_of(msgspec.msgpack.encode(raw_keys))


@dataclass(frozen=True, slots=True)
class KeyPage:
    """The wanted keys of one reply to SCAN, sorted, and the strays among them."""

    digest: bytes
    keys: list[str] = field(repr=False)
    strays: list[Rejected] = field(repr=False)


@dataclass(slots=True)
class Slice:
    """Some neighbouring keys, the digest of their replies, and what was parsed from these."""

    keys: tuple[str, ...] = field(repr=False)
    commands: bytes = field(repr=False)
    digest: bytes | None = None  # None: not read yet, or unreliable
    found: tuple[Found, ...] = field(default=(), repr=False)


class LookMemory:
    """Pages and slices of the last look, and the snapshots made from them."""

    def __init__(self) -> None:
        self._pages: list[KeyPage] = []
        self._slices: dict[str, Slice] = {}  # by first key, in order
        self.snapshots: dict[GroupId, Snapshot] | None = None  # None: the slices have changed since

    def lent(self) -> LookMemory:
        """Return a memory for a look at some of the keys: it knows what this one does, and keeps its own."""
        memory = LookMemory()
        memory._slices = {first: replace(part) for first, part in self._slices.items()}
        return memory

    def page(self, number: int, digest: bytes) -> KeyPage | None:
        """Return the page read at this position last time, if it is the same."""
        page = self._pages[number] if number < len(self._pages) else None
        return page if page is not None and page.digest == digest else None

    async def slices(self, pages: Sequence[KeyPage], pause: Callable[[], Awaitable[None]]) -> list[Slice]:
        """Return the slices of all keys in these pages; slices with the same keys as before are kept."""
        if not _are_same(pages, self._pages):
            self.snapshots = None
            slices: dict[str, Slice] = {}
            for keys in _cut(
                heapq.merge(*(page.keys for page in pages))
            ):  # lazily: sorting everything would block the loop
                known = self._slices.get(keys[0])
                same = known is not None and known.keys == keys
                slices[keys[0]] = known if known is not None and same else Slice(keys, hgetall(keys))
                await pause()
            self._slices, self._pages = slices, list(pages)
        return list(self._slices.values())


def _cut(keys: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Cut sorted keys into slices, each key once (SCAN may repeat itself).

    The keys themselves determine the borders: adding or removing a rule changes only its own slice.
    """
    piece: list[str] = []
    for key in keys:
        if piece and key == piece[-1]:
            continue
        piece.append(key)
        if len(piece) >= MOST_IN_SLICE or zlib.crc32(key.encode()) % SLICE == 0:
            yield tuple(piece)
            piece = []
    if piece:
        yield tuple(piece)


def _are_same(pages: Sequence[KeyPage], others: Sequence[KeyPage]) -> bool:
    return len(pages) == len(others) and all(a is b for a, b in zip(pages, others, strict=True))
