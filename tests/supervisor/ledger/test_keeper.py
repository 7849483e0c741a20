"""What the ledger's file has when the master is killed at any moment."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from pathlib import Path

import pytest
import redis.asyncio
from support.waiting import cancelled, wait_for

from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.ledger import writer as ledgerwriter
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.keeper import LedgerKeeper
from traptor.supervisor.state.reserve import Reserve


def test_a_handover_is_on_the_disk_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next master dates the end of the old stream back to when the file was last written."""
    monkeypatch.setattr(ledgerwriter, "_NOTE_INTERVAL_S", 3600.0)
    asyncio.run(hand_over(tmp_path))


async def hand_over(tmp_path: Path) -> None:
    client = redis.asyncio.Redis(port=1)  # nobody listens: the mirror waits
    keeper = LedgerKeeper(
        tmp_path, {}, client, lambda: 3600.0, lambda _error: None, Reserve(tmp_path / "reserve")
    )
    jobs = [asyncio.create_task(job()) for _, job in keeper.jobs()]
    now = instant(time.monotonic())
    timeline = keeper.ledger.timeline("track:0", now)
    timeline.planned(GapCause.START, now)
    timeline.streaming(1, instant(time.monotonic()))
    await asyncio.to_thread(wait_for, lambda: generation_on_disk(tmp_path) == 1, "the first stream")
    timeline.streaming(2, instant(time.monotonic()))
    timeline.stopped(1, GapCause.REFRESH, instant(time.monotonic()))
    await asyncio.to_thread(wait_for, lambda: generation_on_disk(tmp_path) == 2, "the handover", 10.0)
    await cancelled(*jobs)
    keeper.close()
    await client.aclose()


def generation_on_disk(folder: Path) -> int | None:
    with closing(LedgerStore(folder / "ledger.db")) as store:
        stored = store.load()
    return stored.accounts[0].standing.generation if stored and stored.accounts else None
