"""One look at the rules in Redis: the keys that it covers, and the snapshots of what it found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from traptor.common.rules.normalise import KEY_PREFIX, parse_key
from traptor.common.rules.rule import GroupId, Rejected, RuleType
from traptor.supervisor.rules.memory import KeyPage, LookMemory, Slice, digest_of_page
from traptor.supervisor.rules.snapshot import Snapshot, SnapshotBuilder

_TYPE_PREFIXES = tuple(f"{KEY_PREFIX}{word}:" for word in (*RuleType, "location"))
_HOLD_S = 0.005  # maximum time to hold the event loop at once


class Look:
    """One pass over Redis: the keys it covers, and what it found."""

    def __init__(
        self, began_at: float, serves: Callable[[GroupId], bool], expected: Iterable[GroupId]
    ) -> None:
        self.began_at = began_at
        self._serves = serves
        self._expected = tuple(expected)  # exist even when nothing of them is found
        self.strays: list[Rejected] = []

    def page(self, memory: LookMemory, number: int, raw_keys: Sequence[bytes]) -> KeyPage:
        """Return the wanted rules' keys, sorted; a key that only looks like one becomes a stray."""
        digest = digest_of_page(raw_keys)
        page = memory.page(number, digest)
        if page is None:
            page = KeyPage(digest, [], [])
            for raw in raw_keys:
                self._sort_in(page, raw)
            page.keys.sort()
        self.strays += page.strays
        return page

    async def snapshots(self, slices: Iterable[Slice], pause: LoopPause) -> dict[GroupId, Snapshot]:
        """Return the snapshots of all groups in the slices."""
        builders = {group: SnapshotBuilder(group) for group in self._expected}
        for part in slices:
            # Keys are sorted by group: a hash of the group for each rule would take as long as the rest.
            for group, of_group in groupby(part.found, attrgetter("group")):
                if (builder := builders.get(group)) is None:
                    builder = builders[group] = SnapshotBuilder(group)
                for found in of_group:
                    builder.add(found)
            await pause()
        return {group: builder.build(self.began_at) for group, builder in sorted(builders.items())}

    def _sort_in(self, page: KeyPage, raw: bytes) -> None:
        key = raw.decode(errors="backslashreplace")
        if not key.startswith(_TYPE_PREFIXES):
            return
        try:
            group, _ = parse_key(raw.decode())
        except UnicodeDecodeError:
            page.strays.append(Rejected(key, None, "the key is not UTF-8"))
        except ValueError as error:
            page.strays.append(Rejected(key, None, str(error)))
        else:
            if self._serves(group):
                page.keys.append(key)


class LoopPause:
    """Yields to the event loop when it was held for long."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def __call__(self) -> None:
        """Let others have their turn, if it is time."""
        if time.monotonic() - self._since > _HOLD_S:
            await asyncio.sleep(0)
            self._since = time.monotonic()
