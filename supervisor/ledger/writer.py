"""Write the ledger to disk in a thread: no disk may block the event loop, nor end the collection."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TypeVar

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.ledger.disk.reader import LedgerReader
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import Unwritten

log = logging.getLogger(__name__)

T = TypeVar("T")

# A worker leaves its own mark beside its outbox with every commit; this interval covers the rest.
_NOTE_INTERVAL_S = 5.0
_PRUNE_INTERVAL_S = 3600.0


class LedgerWriter:
    """Writes periodically, and whenever something was completed; failed writes are kept and retried."""

    def __init__(
        self, ledger: Ledger, store: LedgerStore, keep_s: Callable[[], float], news: asyncio.Event
    ) -> None:
        """Prepare the writer; `news` is set when something was completed."""
        self.failures = 0
        self.error: str | None = None  # of the last write, while it fails
        self._ledger = ledger
        self._store = store
        self._keep_s = keep_s
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._news = news
        self._fails = False
        self._writes = asyncio.Lock()  # a batch is booked before the next one is taken
        self._prune_at = time.monotonic()
        self._note_at = 0.0  # when every connection is dated again

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            self._news.clear()
            await self.write()
            if time.monotonic() >= self._prune_at:
                await self._prune()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._note_at - time.monotonic())):
                    await self._news.wait()

    async def write(self) -> bool:
        """Write what is not on disk yet; return False when that is not possible."""
        async with self._writes:
            batch = self._batch()
            is_done = await self._done(self._store.write, batch)
            if is_done:
                self._ledger.written(batch)
            else:
                self._ledger.note()  # its accounts come again with the next batch
            return is_done

    async def read(self, deed: Callable[[LedgerReader], T]) -> T:
        """Return what `deed` reads of the file, with all that is known now in it. Raises TraptorError."""
        if not await self.write():
            raise TraptorError(f"the gap ledger lacks what could not be written: {self.error}")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, deed)

    def _read(self, deed: Callable[[LedgerReader], T]) -> T:
        with closing(LedgerReader(self._store.path)) as reader:
            return deed(reader)

    def close(self) -> None:
        """Write the rest, note that the master stopped in order, and close the file."""
        self._thread.shutdown()
        now = instant(time.monotonic())
        self._ledger.shut_down(now)
        try:
            self._store.write(self._ledger.batch(now, is_clean=True))
        except TraptorError as error:
            self._say(error)
        self._store.close()

    def _batch(self) -> Unwritten:
        now = instant(time.monotonic())
        if now.mono >= self._note_at:
            self._note_at = now.mono + _NOTE_INTERVAL_S
            self._ledger.note()
        return self._ledger.batch(now)

    async def _prune(self) -> None:
        now = time.time()
        kept = Period(now - self._keep_s(), now)
        self._ledger.forget(kept.since)
        if await self._done(self._store.prune, kept):
            self._prune_at = time.monotonic() + _PRUNE_INTERVAL_S

    async def _done(self, deed: Callable[[T], None], what: T) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, deed, what)
        except TraptorError as error:
            self._say(error)
            return False
        if self._fails:
            log.info("the gap ledger is written again")
        self._fails, self.error = False, None
        return True

    def _say(self, error: TraptorError) -> None:
        self.failures += 1
        self.error = str(error)
        if not self._fails:
            log.warning("the gap ledger is not written, it is kept in memory", extra=fields(error=str(error)))
        self._fails = True
