"""Connect the gap ledger's parts: memory, disk, mirror, and a view for answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import redis.asyncio

from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.ledger.answers.answer import View
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.ledger.disk.place import ledger_path
from traptor.supervisor.ledger.disk.reader import LedgerReader
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.fills import Choose
from traptor.supervisor.ledger.mirror import GapMirror
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import Entry
from traptor.supervisor.ledger.writer import LedgerWriter
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.redisuses import Tell
from traptor.supervisor.state.reserve import Reserve


def boot_id() -> str:
    """Return the name of this boot of the host: while it is the same, CLOCK_MONOTONIC goes on."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class LedgerKeeper:
    """Keeps the ledger of these connections in `state_dir`. Raises TraptorError when it cannot be used."""

    def __init__(
        self,
        state_dir: Path,
        connections: Mapping[str, Connection],
        client: redis.asyncio.Redis,
        keep_s: Callable[[], float],
        tell: Tell,
        reserve: Reserve,
        choose: Choose = lambda _gap: None,
    ) -> None:
        """Open it; `choose` tells by which method a gap is filled, if by any."""
        self._news = asyncio.Event()
        self._mirror = GapMirror(client, keep_s, tell)
        self._has_looked = False  # True once this master has read Redis
        store = LedgerStore(ledger_path(state_dir), reserve)
        self.path = store.path
        now = instant(time.monotonic())
        outboxes, boot = state_dir / "outbox", boot_id()
        self.ledger = Ledger(
            connections, store.load(), outboxes, boot, now, self._on_entry, self._news.set, choose
        )
        self._writer = LedgerWriter(self.ledger, store, keep_s, self._news)

    def jobs(self) -> list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Return the jobs, with their names; each runs until cancelled."""
        return [("ledger", self._writer.run), ("gap mirror", self._mirror.run)]

    def look(self, groups: Groups, names: Collection[str] | None) -> None:
        """Record which of these connections carries which rules, once known; None: all, and groups."""
        if names is not None and self._has_looked:
            self.ledger.look_at(names, instant(time.monotonic()))
        elif self._has_looked or groups.are_known:
            self._has_looked = True
            known = [group.snapshot for group in groups.all()]
            self.ledger.look(known, instant(time.monotonic()))

    async def carried(self, connection: str, period: Period) -> frozenset[str]:
        """Return the Redis keys of the rules that it carried in a period. Raises TraptorError."""
        return await self._writer.read(partial(LedgerReader.keys_within, place=connection, period=period))

    def write_soon(self) -> None:
        """Have written what changed."""
        self._news.set()

    def view(self) -> View:
        """Return the ledger in memory now."""
        return View.of(self.ledger, instant(time.monotonic()))

    def status(self) -> dict[str, int | str | None]:
        """Return figures on the progress of writing, and why it fails now."""
        return {
            "unwritten": len(self.ledger.pending),
            "write_failures": self._writer.failures,
            "error": self._writer.error,
        }

    def close(self) -> None:
        """Write the rest for an orderly stop of the master."""
        self._writer.close()

    def _on_entry(self, entry: Entry) -> None:
        self._news.set()
        self._mirror.add(entry)
