"""Messages in outboxes that no worker has are a problem, and are seen wherever an operator looks."""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path
from typing import Any, cast

import pytest
from support.keypools import make_key
from support.statuses import status_of
from support.stepping import SteppedWorld

from traptor.common.files.outboxes import OUTBOX_LOCK, note_count, outbox_folder
from traptor.supervisor.control.page.rendering import page
from traptor.supervisor.control.page.seen import seen
from traptor.supervisor.ctl.printing.overview import Overview
from traptor.supervisor.metrics.exposition import Exposition
from traptor.supervisor.problems.board import Board, Health, health
from traptor.supervisor.problems.finder import find
from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.workers.leftovers import Leftovers

Json = dict[str, Any]
LOOK_S = 5


class World:
    """Outboxes of dead workers, and what a master makes of them, second by second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stepped = SteppedWorld(folder / "world", make_key("a"))
        self.leftovers = self.stepped.context.leftovers = Leftovers(folder)
        self.board = Board()
        self.now = 1000.0

    def leave(self, name: str, messages: int, size_bytes: int) -> Path:
        outbox = outbox_folder(self.folder, name) / "1"
        outbox.mkdir(parents=True)
        with (outbox / OUTBOX_LOCK).open("w") as lock:
            note_count(lock.fileno(), messages, size_bytes)
        return outbox

    def go_on(self, seconds: int, served: tuple[str, ...] = ()) -> Json:
        """Let time pass, with a look at outboxes every five seconds; return the last status."""
        for second in range(seconds):
            if second % LOOK_S == 0:
                self.leftovers.look(served, self.now)
            self.now += 1.0
            self.board.look(self.status(), self.now)
        return {**self.status(), "problems": self.board.listed(self.now)}

    def try_to_drain(self, outbox: Path) -> None:
        """A drain worker has the outbox for a while, and ends some seconds before the next look."""
        name = outbox.parent.name
        self.leftovers.taken_care_of(name, self.now)
        with (outbox / OUTBOX_LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.go_on(8, served=(name,))
        for _ in range(4):
            self.now += 1.0
            self.board.look(self.status(), self.now)

    def status(self) -> Json:
        self.stepped.now = self.now
        return status_of(self.stepped)


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "world").mkdir()
    return World(tmp_path)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, Any]]:
    return [
        (record.levelname, record.message, cast(Any, record).fields["connection"])
        for record in caplog.records
        if "message" in record.message
    ]


def test_what_waits_is_said_when_it_lasts_and_when_it_is_over(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    outbox = world.leave("track:7", 1234, 5 << 20)
    assert world.go_on(25)["problems"] == [], "a next generation or a drain worker has them sooner"
    [shown] = world.go_on(10)["problems"]
    assert (shown["what"], shown["name"], shown["level"]) == (Subject.OUTBOX, "track:7", "WARNING")
    assert shown["sentence"].startswith("outbox of track:7 HAS NO WORKER since ")
    assert "1,234 messages (5.0 MiB) wait for a worker; see the connection's log" in shown["sentence"]
    assert health([shown]) is Health.DEGRADED
    (outbox / OUTBOX_LOCK).unlink()
    assert world.go_on(6)["problems"] == []
    assert lines(caplog) == [
        ("WARNING", "messages wait that no worker has", "track:7"),
        ("INFO", "no message waits without a worker", "track:7"),
    ]


def test_drain_workers_that_deliver_nothing_are_one_problem_however_often_they_try(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as for an outbox of another version, or one that is damaged."""
    caplog.set_level(logging.INFO)
    outbox = world.leave("track:7", 3, 4096)
    for _ in range(15):
        status = world.go_on(10)
        if "track:7" in world.leftovers.due:
            world.try_to_drain(outbox)
    assert len(lines(caplog)) == 1
    [shown] = world.go_on(10)["problems"]
    assert "3 messages (4.0 KiB) wait: 4 drain workers ended without delivering them" in shown["why"]
    assert shown["until"] is not None
    assert status["drain_tries"][0]["connection"] == "track:7"


def test_a_drain_worker_that_delivers_for_long_is_no_problem(world: World) -> None:
    """Kafka may be away for an hour; that is the output's problem."""
    outbox = world.leave("track:7", 3, 4096)
    world.go_on(6)
    world.leftovers.taken_care_of("track:7", world.now)
    held = (outbox / OUTBOX_LOCK).rename(outbox / "held")
    assert world.go_on(120, served=("track:7",))["problems"] == []
    held.unlink()
    world.go_on(6)
    assert world.status()["drain_tries"] == []


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"messages": 1, "bytes": 900, "trial": 0}, "1 message (900 B) wait for a worker"),
        ({"messages": 0, "bytes": 2048, "trial": 0}, "messages (2.0 KiB) wait for a worker"),
        ({"messages": 0, "bytes": 0, "trial": 2}, "2 posts for the trial wait for a worker"),
        (
            {"messages": 2, "bytes": 2048, "trial": 1},
            "2 messages (2.0 KiB) and 1 post for the trial wait for a worker",
        ),
        ({"messages": 0, "bytes": 0, "trial": 0}, None),
    ],
)
def test_it_says_what_waits_and_an_empty_outbox_is_no_problem(
    world: World, left: Json, said: str | None
) -> None:
    status = {**world.status(), "ownerless": [{"connection": "track:7", "outboxes": 1, **left}]}
    assert [one.why for one in of_outboxes(status)] == ([] if said is None else [said])


def test_a_worker_that_does_not_take_them_over_is_named(world: World) -> None:
    world.stepped.stream(world.stepped.connection("track:0", "storm"))
    world.leave("track:0", 2, 4096)
    world.go_on(1, served=("track:0",))
    [one] = of_outboxes(world.status())
    assert one.why.endswith("wait: the connection's worker has not taken them over")


def of_outboxes(status: Json) -> list[OpenProblem]:
    return [one for one in find(status) if one.subject is Subject.OUTBOX]


def test_an_operator_sees_them_in_the_overview_on_the_page_and_in_the_metrics(world: World) -> None:
    """At once, also of connections that are in no table any more."""
    world.leave("v2:Key", 1234, 5 << 20)
    for number in range(9):
        world.leave(f"track:{number}", 1, 900)
    status = {**world.go_on(1), "apps": [], "health": "ok"}
    said = (
        "In outboxes that no worker has: 1 message (900 B) of track:0, 1 message (900 B) of track:1,"
        " 1 message (900 B) of track:2, 1 message (900 B) of track:3, 1 message (900 B) of track:4,"
        " 5 connections more"
    )
    assert said in " ".join(printed(status).split())
    assert f"<p>{said}.</p>" in page(seen(status, lambda _name: (), {}))
    metrics = Exposition().text(status).decode()
    assert 'traptor_outbox_ownerless_messages{connection="v2:Key"} 1234' in metrics
    assert f'traptor_outbox_ownerless_bytes{{connection="v2:Key"}} {5 << 20}' in metrics


def test_nothing_is_shown_where_nothing_is_left(world: World) -> None:
    world.leave("track:7", 0, 0)
    status = {**world.go_on(1), "apps": []}
    assert "outboxes that" not in printed(status) + page(seen(status, lambda _name: (), {}))


def printed(status: Json) -> str:
    from rich.console import Console

    console = Console(width=100)
    with console.capture() as captured:
        console.print(Overview(status, {}))
    return captured.get()
