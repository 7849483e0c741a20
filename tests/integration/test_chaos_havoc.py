"""How the chaos goes through its schedule: everything is done once, and what lasts is undone."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from chaos_parts.clusters import Clusters
from chaos_parts.havoc import Havoc, Victims
from chaos_parts.schedule import FULL_DISKS, HABITS, Disturbance, Kind
from support.waiting import DEADLINE_S, wait_for


class Recorder:
    """Stands where all victims are: notes what is done to it."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls
        self.is_up = True
        self.workers: dict[str, int] = {}
        self.answers: Callable[[float], bool] = lambda _: True

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self._calls.append(name)

    def __len__(self) -> int:
        return 9

    def look(self) -> Recorder:
        return self

    def serving(self) -> dict[str, int]:
        return self.workers


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def on(calls: list[str], tmp_path: Path) -> Any:
    ini = tmp_path / "traptor.ini"
    ini.write_text("[traptor]\n")
    one: Any = Recorder(calls)
    kafka = Clusters(one, ("posts",))
    return Victims(one, kafka, one, one, one, one, one, ini, dict.fromkeys(FULL_DISKS, one))


def havoc(on: Any, *disturbances: Disturbance) -> Havoc:
    never = Disturbance(Kind.RELOAD, 1e9, 0.0, 0.0, 0.0)
    return Havoc(on, iter([*disturbances, never, never]))


def one(kind: Kind, at_s: float = 1.0, lasts_s: float = 0.0) -> Disturbance:
    return Disturbance(kind, at_s, lasts_s, 0.5, 0.5)


def test_nothing_is_done_before_its_time(on: Any, calls: list[str]) -> None:
    assert havoc(on, one(Kind.HINT)).go_on(0.9) == []
    assert calls == []


def test_what_lasts_is_undone_in_time_and_in_order(on: Any, calls: list[str]) -> None:
    chaos = havoc(on, one(Kind.KILL_KAFKA, 1.0, 5.0), one(Kind.KILL_REDIS, 2.0, 3.0), one(Kind.HINT, 7.0))
    chaos.go_on(4.9)
    assert calls == ["kill", "kill_redis"]
    chaos.go_on(8.0)
    assert calls == ["kill", "kill_redis", "start_redis", "launch", "hint"]
    assert chaos.done == {"Kafka killed": 1, "Redis killed": 1, "hint without a change": 1}


def test_a_cluster_that_replaces_another_gets_its_topics_once_it_answers(on: Any, calls: list[str]) -> None:
    answers = iter([False, False, True])
    on.masters.answers = lambda _: next(answers)
    chaos = havoc(on, one(Kind.REBUILD_KAFKA, 1.0, 2.0))
    chaos.go_on(1.0)
    assert calls == ["rebuild"]
    chaos.go_on(3.0)
    assert calls == ["rebuild", "launch"]
    for elapsed_s in (3.5, 4.0, 4.4):
        chaos.go_on(elapsed_s)
        assert calls == ["rebuild", "launch"]
    chaos.go_on(4.5)
    assert calls == ["rebuild", "launch", "ensure_topics"]
    assert len(on.clusters.former) == 1


def test_a_deleted_topic_is_kept_first_and_made_anew_once_kafka_answers(on: Any, calls: list[str]) -> None:
    answers = iter([True, False, True])
    on.masters.answers = lambda _: next(answers)
    made: list[int] = []
    on.masters.ensure_topics = lambda _, partitions: made.append(partitions)
    chaos = havoc(on, one(Kind.REMAKE_TOPIC, 1.0, 2.0))
    chaos.go_on(1.0)
    assert calls == ["keep_topic", "delete_topic"]
    chaos.go_on(3.0)
    assert made == []
    chaos.go_on(3.5)
    assert len(made) == 1
    assert len(on.clusters.deleted) == 1


@pytest.mark.parametrize("lot", [n / 20 for n in range(20)])
def test_a_topic_made_anew_never_has_as_many_partitions_as_before(lot: float, on: Any) -> None:
    made = [3]
    on.masters.ensure_topics = lambda _, partitions: made.append(partitions)
    times = [Disturbance(kind, at_s, 0.0, lot, 0.0) for kind, at_s in REMADE]
    chaos = havoc(on, *times)
    for at_s in range(1, 9):
        chaos.go_on(float(at_s))
    assert len(made) == 1 + len(REMADE)
    remade = [place for place, (kind, _) in enumerate(REMADE, start=1) if kind is Kind.REMAKE_TOPIC]
    assert all(made[place] != made[place - 1] for place in remade)
    assert all(1 <= count <= 5 for count in made)


REMADE = [
    (Kind.REMAKE_TOPIC, 1.0),
    (Kind.REMAKE_TOPIC, 3.0),
    (Kind.REBUILD_KAFKA, 5.0),
    (Kind.REMAKE_TOPIC, 7.0),
]


def test_a_topic_is_not_deleted_where_there_is_none_or_kafka_is_away(on: Any, calls: list[str]) -> None:
    chaos = havoc(on, one(Kind.REBUILD_KAFKA, 1.0, 9.0), one(Kind.REMAKE_TOPIC, 2.0))
    chaos.go_on(2.0)
    assert calls == ["rebuild"]
    on.masters.answers = lambda _: False
    chaos = havoc(on, one(Kind.REMAKE_TOPIC, 2.0))
    chaos.go_on(2.0)
    assert calls == ["rebuild"]
    assert chaos.missed == {str(Kind.REMAKE_TOPIC): 1}


def test_at_the_end_everything_that_lasts_is_undone(on: Any, calls: list[str]) -> None:
    chaos = havoc(on, one(Kind.KILL_SUPERVISOR, 1.0, 50.0), one(Kind.TAKE_KEYS, 2.0, 30.0))
    chaos.go_on(3.0)
    chaos.undo_all()
    assert calls == ["kill", "take_away", "bring_back", "start"]


def test_a_broken_ini_is_mended(on: Any, calls: list[str]) -> None:
    chaos = havoc(on, one(Kind.BREAK_INI, 1.0, 2.0))
    chaos.go_on(1.0)
    assert on.ini.read_text() == "[traptor]\n[supervisor\n"
    chaos.go_on(3.0)
    assert on.ini.read_text() == "[traptor]\n"
    assert calls == ["reload", "reload"]


@pytest.mark.parametrize("kind", [Kind.RELOAD, Kind.BREAK_INI, Kind.KILL_WORKER, Kind.KILL_FORKER])
def test_a_supervisor_that_only_starts_gets_no_signal(kind: Kind, on: Any, calls: list[str]) -> None:
    on.masters.is_up = False
    chaos = havoc(on, one(kind))
    assert chaos.go_on(1.0) == [f"{kind}: nobody was there"]
    assert (chaos.missed, calls, on.ini.read_text()) == ({str(kind): 1}, [], "[traptor]\n")


def test_a_stopped_worker_goes_on_and_its_stop_is_remembered(on: Any, sleeper: psutil.Process) -> None:
    on.status.workers["track:0"] = sleeper.pid
    chaos = havoc(on, one(Kind.STOP_WORKER, 1.0, 2.0))
    chaos.go_on(1.0)
    wait_for(lambda: sleeper.status() == psutil.STATUS_STOPPED, "stopped")
    chaos.go_on(3.0)
    wait_for(lambda: sleeper.status() != psutil.STATUS_STOPPED, "going on")
    assert [stop.connection for stop in chaos.stops] == ["track:0"]


def test_a_worker_is_killed_for_good(on: Any, sleeper: psutil.Process) -> None:
    on.status.workers["track:0"] = sleeper.pid
    havoc(on, one(Kind.KILL_WORKER)).go_on(1.0)
    assert sleeper.wait(DEADLINE_S) == -signal.SIGKILL


def test_every_kind_is_done_and_undone(on: Any, sleeper: psutil.Process) -> None:
    on.status.workers["track:0"] = sleeper.pid
    last = [kind for kind in Kind if kind is not Kind.KILL_WORKER] + [Kind.KILL_WORKER]
    times = [(kind, 20.0 * n) for n, kind in enumerate(last)]
    chaos = havoc(on, *(one(kind, at_s, HABITS[kind].lasts_s[1]) for kind, at_s in times))
    for second in range(20 * len(last)):
        chaos.go_on(float(second))
    chaos.undo_all()
    assert chaos.done == {str(kind): 1 for kind in Kind}
