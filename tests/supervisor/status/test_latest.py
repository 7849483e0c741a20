"""The last status serves for a second, and not after an order; its parts until something changes them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.keypools import make_key
from support.stepping import SteppedWorld

from traptor.common.counts import Counters
from traptor.common.files.outboxes import Left
from traptor.common.messages import Activity, DisconnectKind, Report
from traptor.supervisor.gaps import interval
from traptor.supervisor.status import times
from traptor.supervisor.status.connections import of_connection
from traptor.supervisor.status.latest import Latest, Shown
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.workers.generation import Vitals

NOTHING_LEFT = Left()


def test_a_status_is_used_again_for_a_second_and_until_something_is_ordered() -> None:
    now, numbers = [0.0], count()
    latest = Latest(lambda: {"number": next(numbers)}, lambda: now[0])
    assert latest.recent() == {"number": 0}
    now[0] = 0.99
    assert latest.recent() == {"number": 0}
    assert latest.new() == {"number": 1}
    now[0] = 1.9
    assert latest.recent() == {"number": 1}, "whoever made it"
    now[0] = 2.0
    assert latest.recent() == {"number": 2}
    latest.outdated()
    assert latest.recent() == {"number": 3}


class Streaming(SteppedWorld):
    """A connection that streams, and its worker."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, make_key("a"))
        self.c = self.connection("track:0", "word")
        self.rates = Rates()
        self.step()
        [self.g] = self.fleet.generations
        self.ready(self.g)
        self.step()
        self.connected(self.g)
        self.report()

    def report(self, received: int = 0, last_byte_at: float = 0.0, backlog: int = 0) -> None:
        """What the worker reports by now."""
        report = Report(
            at=self.now,
            activity=Activity.READING,
            activity_since=self.now,
            last_byte_at=last_byte_at,
            safe_until=self.now,
            backlog=backlog,
            outbox_bytes=0,
            counters=Counters(received=received),
        )
        self.say(self.g, report)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Streaming:
    world = Streaming(tmp_path)
    stopped = SimpleNamespace(time=lambda: 1e9 + world.now, monotonic=lambda: world.now)
    monkeypatch.setattr(times, "time", stopped)
    monkeypatch.setattr(interval, "time", stopped)
    return world


def _pass(world: Streaming) -> None:
    world.now += 10.0


def _receive(world: Streaming) -> None:
    world.report(received=3)


def _read(world: Streaming) -> None:
    world.report(last_byte_at=world.now)


def _fill(world: Streaming) -> None:
    world.report(backlog=7)


def _examine(world: Streaming) -> None:
    world.g.examined(Vitals(1, 2.0, 3, "sleeping"), None)


def _note_rates(world: Streaming) -> None:
    world.rates.note({"track:0": 0}, world.now)
    world.rates.note({"track:0": 50}, world.now + 5.0)


@pytest.mark.parametrize("change", [_pass, _receive, _read, _fill, _examine, _note_rates])
def test_what_changes_without_an_event_is_shown_at_once(
    world: Streaming, change: Callable[[Streaming], None]
) -> None:
    shown = Shown()
    before = shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    change(world)
    after = shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    assert after != before
    assert after == of_connection(world.c, NOTHING_LEFT, world.rates, world.now)


@pytest.mark.parametrize("change", [_receive, _read, _fill, _examine, _note_rates])
def test_what_only_an_event_changes_is_not_looked_at_without_one(
    world: Streaming, change: Callable[[Streaming], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown()
    shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    monkeypatch.delattr("traptor.supervisor.status.latest.of_connection")
    change(world)
    after = shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    assert after == of_connection(world.c, NOTHING_LEFT, world.rates, world.now)


def test_a_gap_grows_as_a_stream_does(world: Streaming) -> None:
    shown = Shown()
    world.disconnected(world.g, DisconnectKind.NETWORK)
    shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    _pass(world)
    after = shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    assert after["gap_seconds"] == {"network": 10.0}
    assert after == of_connection(world.c, NOTHING_LEFT, world.rates, world.now)


def test_what_is_left_in_outboxes_is_shown_at_once(world: Streaming) -> None:
    shown = Shown()
    shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    left = Left(1, 5, 500)
    after = shown.connection(world.c, left, world.rates, world.now)
    assert after["outbox"]["messages"] == 5


def test_what_an_event_changed_is_shown_once_that_is_told(world: Streaming) -> None:
    shown = Shown()
    shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    [key] = shown.keys(world.pool, world.now)
    assert key.last_error == ""
    world.c.is_stopped = True
    world.pool.records.refund(key.key_id)
    shown.forget(["track:0"])
    assert shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)["state"] == "STOPPED"
    [again] = shown.keys(world.pool, world.now)
    assert again.budget_left == key.budget_left + 1


def test_a_key_that_something_else_than_a_step_changed_is_shown_at_once(world: Streaming) -> None:
    shown = Shown()
    [before] = shown.keys(world.pool, world.now)
    world.pool.records.spend(before.key_id, world.now)
    [after] = shown.keys(world.pool, world.now)
    assert after.budget_left == before.budget_left - 1
    assert shown.keys(world.pool, world.now) == (after,)


def test_of_a_quiet_connection_only_the_clock_goes_on(
    world: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown()
    before = shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    monkeypatch.delattr("traptor.supervisor.status.latest.of_connection")
    world.now += 1.0
    world.report()
    after = shown.connection(world.c, NOTHING_LEFT, world.rates, world.now)
    assert after["streaming_seconds"] == pytest.approx(before["streaming_seconds"] + 1.0)
