"""There is always a forker to ask: one that ended or was lost is replaced."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.births import worker_settings
from support.waiting import DEADLINE_S

from traptor.common.birth import WorkerSettings
from traptor.supervisor.workers.forking import forker as forker_module
from traptor.supervisor.workers.forking import keeper as keeper_module
from traptor.supervisor.workers.forking.forker import Forker, ForkerLate
from traptor.supervisor.workers.forking.keeper import ForkerKeeper


@pytest.fixture(autouse=True)
def errors_only(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever level other tests left."""
    caplog.set_level(logging.ERROR)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.005)


def test_one_that_ends_is_said_at_once_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    async def lose(keeper: ForkerKeeper) -> None:
        keeper.watch()
        first = keeper.forker()
        assert keeper.forker() is first
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: bool(caplog.records))
        [record] = caplog.records
        assert (record.levelno, record.message) == (
            logging.ERROR,
            "the forker ended, and all workers with it",
        )
        assert vars(record)["fields"] == {"pid": first.pid, "exit_code": -signal.SIGKILL}
        second = keeper.forker()
        assert second.pid != first.pid
        os.kill(second.pid, signal.SIGKILL)
        await until(lambda: len(caplog.records) == 2)
        keeper.close()

    before = set(psutil.Process().children())
    with ForkerKeeper() as keeper:
        asyncio.run(lose(keeper))
    assert set(psutil.Process().children()) <= before


def test_one_that_is_lost_is_replaced_before_the_loop_hears_of_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(forker_module, "_PROMPT_S", 0.1)
    monkeypatch.setattr(keeper_module, "ANSWER_S", 0.1)

    async def lose(keeper: ForkerKeeper) -> None:
        keeper.watch()
        first = keeper.forker()
        os.kill(first.pid, signal.SIGSTOP)
        with pytest.raises(ForkerLate):
            first.fork("track:0", [])
        assert keeper.forker() is first
        await until(lambda: first.is_lost)
        assert keeper.forker().pid != first.pid
        await asyncio.sleep(0)
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        keeper.close()

    with ForkerKeeper() as keeper:
        asyncio.run(lose(keeper))


def test_one_that_is_replaced_makes_ready_what_the_first_did(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepared: list[tuple[int, WorkerSettings, Path]] = []
    monkeypatch.setattr(Forker, "prepare", lambda forker, *what: prepared.append((forker.pid, *what)))
    settings, folder = worker_settings(tmp_path), tmp_path / "rehearsal"

    async def lose(keeper: ForkerKeeper) -> None:
        keeper.watch()
        first = keeper.forker()
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: keeper.forker() is not first)
        assert prepared == [(first.pid, settings, folder), (keeper.forker().pid, settings, folder)]
        keeper.close()

    with ForkerKeeper() as keeper:
        keeper.prepare(settings, folder)
        asyncio.run(lose(keeper))


def test_one_that_stood_still_for_a_while_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "ANSWER_S", 10 * DEADLINE_S)

    async def stop(keeper: ForkerKeeper) -> None:
        keeper.watch()
        first = keeper.forker()
        os.kill(first.pid, signal.SIGSTOP)
        with pytest.raises(ForkerLate):
            first.fork("track:0", [])
        os.kill(first.pid, signal.SIGCONT)
        await until(lambda: not first.is_late)
        assert first.reap(1) is None
        assert keeper.forker() is first
        assert not first.is_lost
        keeper.close()

    with ForkerKeeper() as keeper:
        asyncio.run(stop(keeper))


def test_a_host_without_room_for_it_at_the_start_may_have_room_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(keeper: ForkerKeeper) -> None:
        keeper.watch()
        with pytest.raises(BlockingIOError):
            keeper.forker()
        monkeypatch.undo()
        assert psutil.pid_exists(keeper.forker().pid)
        keeper.close()

    monkeypatch.setattr(Forker, "start", _full)
    with ForkerKeeper() as keeper:
        asyncio.run(ask(keeper))


def _full() -> Forker:
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
