"""The fleet lists its workers for a successor of the master before they can do harm, several at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.leftovers import Leftovers
from support.logworkers import make_birth
from support.waiting import DEADLINE_S

from traptor.common.messages import Connect, FromWorker
from traptor.supervisor.state.roster import Roster, RosterEntry
from traptor.supervisor.workers.fleet import Fleet
from traptor.supervisor.workers.forking import serving
from traptor.supervisor.workers.forking.keeper import ForkerKeeper
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.spec import Spec
from traptor.worker.afterfork import leave_parent


def _sleep(_connection: str, fds: list[int], parent_pid: int) -> None:
    leave_parent(parent_pid, fds)
    signal.pause()


class Written(Roster):
    """Counts how often it was written."""

    times = 0

    def write(self, entries: object) -> None:
        self.times += 1
        super().write(entries)  # type: ignore[arg-type]


class Ended:
    """What the fleet tells of ends."""

    def __init__(self) -> None:
        self.codes: list[int | None] = []

    def on_message(self, g: Generation, message: FromWorker) -> None:
        raise AssertionError(message)

    def on_fault(self, g: Generation, what: str) -> None:
        raise AssertionError(what)

    def on_gone(self, g: Generation, code: int | None) -> None:
        self.codes.append(code)


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkerKeeper]:
    monkeypatch.setattr(serving, "run_worker", _sleep)
    left = Leftovers()
    with ForkerKeeper() as keeper:
        yield keeper
    left.wait_gone()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.005)


def pids(roster: Roster) -> list[int]:
    return [entry.pid for entry in roster.read() if isinstance(entry, RosterEntry)]


def test_workers_are_listed_together_soon_and_again_when_they_are_gone(
    keeper: ForkerKeeper, tmp_path: Path
) -> None:
    async def run() -> None:
        roster, ended = Written(tmp_path / "workers.json"), Ended()
        fleet = Fleet(keeper, roster, 0)
        fleet.report_to(ended)
        forked = [fleet.fork(make_birth(tmp_path, generation=n), Spec("", "", 0)) for n in range(1, 6)]
        assert roster.times == 0
        await until(lambda: pids(roster) == [g.pid for g in forked])
        assert roster.times == 1
        for generation in forked:
            fleet.kill(generation)
        await until(lambda: len(ended.codes) == 5)
        assert set(ended.codes) == {-signal.SIGKILL}
        assert pids(roster) == [], "at once: the master may be about to end"
        assert roster.times <= 5, "some together"
        fleet.close()

    asyncio.run(run())


def test_no_worker_gets_a_key_before_it_is_listed(keeper: ForkerKeeper, tmp_path: Path) -> None:
    async def run() -> None:
        roster, ended = Written(tmp_path / "workers.json"), Ended()
        fleet = Fleet(keeper, roster, 0)
        fleet.report_to(ended)
        generation = fleet.fork(make_birth(tmp_path), Spec("", "", 0))
        assert pids(roster) == []
        fleet.connect(generation, Connect(key_id="k", key_name="k"))
        assert pids(roster) == [generation.pid]
        fleet.connect(generation, Connect(key_id="k", key_name="k"))
        assert roster.times == 1
        fleet.kill(generation)
        await until(lambda: ended.codes == [-signal.SIGKILL])
        fleet.close()

    asyncio.run(run())
