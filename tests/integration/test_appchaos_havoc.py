"""How the chaos under v2 carries its troubles out, and what the judge is told of them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil
import pytest
from appchaos_parts.havoc import Havoc, Victims
from appchaos_parts.troubles import FULL_DISKS, Kind, Trouble, per_round
from chaos_parts.schedule import Kind as OfAll
from support.waiting import DEADLINE_S


class Recorder:
    """Stands where all victims are: notes the faults, and what else is done to it."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, dict[str, object]]] = []
        self.calls: list[str] = []
        self.is_up = True
        self.workers: dict[str, int] = {}
        self.struck = [7]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.calls.append(name)

    @property
    def sandbox(self) -> Recorder:
        return self

    @property
    def v2(self) -> Recorder:
        return self

    def look(self) -> Recorder:
        return self

    def serving(self) -> dict[str, int]:
        return self.workers

    def fault(self, kind: str, **fields: object) -> dict[str, list[int]]:
        self.faults.append((kind, fields))
        return {"struck": self.struck}

    def connections(self) -> list[dict[str, object]]:
        return [{"id": number, "closed_mono": None, "recovery": False} for number in (7, 8)]


@pytest.fixture
def on() -> Any:
    return Recorder()


def havoc(on: Any, kind: Kind, connections: int = 1, lot: float = 0.0) -> Havoc:
    troubles = [Trouble(kind, 1.0, lot, 0.5), Trouble(Kind.RELOAD, 1e9, 0.0, 0.0)]
    return Havoc(Victims("app", on, on, on, on, on, connections), iter(troubles))


def test_a_stall_leaves_the_stream_open_until_the_worker_gives_it_up(on: Any) -> None:
    chaos = havoc(on, Kind.STALL)
    assert chaos.go_on(1.0) == ["stream stalled"]
    assert on.faults == [("stall", {"app": "app"})]  # without an end
    assert len(chaos.stalls) == 1
    assert chaos.kills == []


def test_a_stall_that_met_no_stream_excuses_nothing(on: Any) -> None:
    on.struck = []
    chaos = havoc(on, Kind.STALL)
    chaos.go_on(1.0)
    assert (len(on.faults), chaos.stalls) == (1, [])


@pytest.mark.parametrize(("lot", "connection"), [(0.0, 8), (0.9, None)])
def test_of_two_streams_mostly_one_is_stalled(on: Any, lot: float, connection: int | None) -> None:
    havoc(on, Kind.STALL, connections=2, lot=lot).go_on(1.0)
    assert on.faults[0][1].get("connection") == connection


def test_the_judge_is_told_of_every_kill(on: Any, sleeper: psutil.Process) -> None:
    on.workers["v2:app"] = sleeper.pid
    chaos = havoc(on, Kind.KILL_WORKER)
    chaos.go_on(1.0)
    assert sleeper.wait(DEADLINE_S) == -signal.SIGKILL
    assert len(chaos.kills) == 1
    chaos = havoc(on, Kind.KILL_SUPERVISOR)
    chaos.go_on(1.0)
    assert (on.calls, len(chaos.kills)) == (["kill", "start"], 1)
    on.workers.clear()
    chaos = havoc(on, Kind.KILL_WORKER)
    assert chaos.go_on(1.0) == ["worker killed: nobody was there"]
    assert chaos.kills == []


class Disk:
    """Notes whether it is full."""

    def __init__(self) -> None:
        self.is_full = False

    def fill(self) -> None:
        self.is_full = True

    def free(self) -> None:
        self.is_full = False


def with_disks(on: Any, troubles: list[Trouble]) -> tuple[Havoc, dict[Kind, Disk]]:
    disks = {kind: Disk() for kind in FULL_DISKS}
    last = Trouble(Kind.RELOAD, 1e9, 0.0, 0.0)
    victims: Any = replace(Victims("app", on, on, on, on, on, 1), disks=disks)
    return Havoc(victims, iter([*troubles, last])), disks


@pytest.mark.parametrize("kind", sorted(FULL_DISKS))
def test_a_disk_is_filled_for_some_seconds(on: Any, kind: Kind) -> None:
    chaos, disks = with_disks(on, [Trouble(kind, 1.0, 0.0, 0.0)])
    assert chaos.go_on(1.0) == [str(kind)]
    assert {one for one, disk in disks.items() if disk.is_full} == {kind}
    assert chaos.go_on(3.9) == []
    assert disks[kind].is_full
    chaos.go_on(4.1)
    assert not disks[kind].is_full


def test_one_disk_is_full_at_a_time_and_none_at_the_end(on: Any) -> None:
    two = [Trouble(Kind.FILL_STATE, 1.0, 1.0, 0.0), Trouble(Kind.FILL_OUTPUT, 2.0, 1.0, 0.0)]
    chaos, disks = with_disks(on, two)
    chaos.go_on(1.0)
    chaos.go_on(2.0)
    assert {one for one, disk in disks.items() if disk.is_full} == {Kind.FILL_OUTPUT}
    chaos.free_disks()
    assert not any(disk.is_full for disk in disks.values())


def test_the_disks_that_are_filled_are_those_of_a_chaos_into_files() -> None:
    assert {OfAll.FILL_STATE, OfAll.FILL_LOGS, OfAll.FILL_OUTPUT} == FULL_DISKS
    assert set(per_round(FULL_DISKS)) == FULL_DISKS
