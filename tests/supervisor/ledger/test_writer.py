"""Writes that overlap, and reads while nothing can be written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.ledgerhost import WALL, Host

from traptor.common.errors import TraptorError
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.ledger.records import Unwritten
from traptor.supervisor.ledger.writer import LedgerWriter


def break_off(host: Host) -> None:
    """A stretch of streaming and a gap are over."""
    generation = host.open("track:0")
    host.true_s += 5.0
    host.ledger.timeline("track:0", host.now).stopped(generation, GapCause.CRASH, host.now)
    host.true_s += 5.0


def test_what_comes_while_two_writes_overlap_is_written_too(tmp_path: Path) -> None:
    asyncio.run(overlap(Host(tmp_path)))


async def overlap(host: Host) -> None:
    host.ledger.timeline("track:0", host.now).planned(GapCause.START, host.now)
    writer = LedgerWriter(host.ledger, host.store, lambda: 3600.0, asyncio.Event())
    break_off(host)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(writer.write())
            await asyncio.sleep(0)  # it has taken its batch, or waits for its turn
            break_off(host)
    assert await writer.write()
    assert len(host.ledger.pending) == 0
    told = [(one.cause or one.kind, one.from_unix - WALL, one.to_unix - WALL) for one in host.told]
    assert host.stored("track:0") == told
    writer.close()


def test_nothing_is_read_while_what_is_known_cannot_be_written(tmp_path: Path) -> None:
    asyncio.run(read_on_a_full_disk(Host(tmp_path)))


async def read_on_a_full_disk(host: Host) -> None:
    writer = LedgerWriter(host.ledger, host.store, lambda: 3600.0, asyncio.Event())
    write = host.store.write

    def fail(_batch: Unwritten) -> None:
        raise TraptorError("the disk is full")

    host.store.write = fail  # type: ignore[method-assign]
    with pytest.raises(TraptorError, match="lacks what could not be written: the disk is full"):
        await writer.read(lambda _reader: "an old answer")
    host.store.write = write  # type: ignore[method-assign]
    assert await writer.read(lambda _reader: "an answer") == "an answer"
    writer.close()


def test_what_could_not_be_written_comes_with_the_next_batch(tmp_path: Path) -> None:
    asyncio.run(write_after_a_failure(Host(tmp_path)))


async def write_after_a_failure(host: Host) -> None:
    writer = LedgerWriter(host.ledger, host.store, lambda: 3600.0, asyncio.Event())
    assert await writer.write()
    write, written = host.store.write, list[Unwritten]()

    def fail(_batch: Unwritten) -> None:
        raise TraptorError("the disk is full")

    host.store.write = fail  # type: ignore[method-assign]
    break_off(host)
    assert not await writer.write()
    host.store.write = lambda batch: written.append(batch) or write(batch)  # type: ignore[method-assign]
    assert await writer.write()
    assert [account.connection for account in written[0].accounts] == ["track:0"]
    assert len(written[0].entries) == 1
    writer.close()
