"""Gaps of a few minutes, brought by the streams that end them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from traptor.common.fills import FillMethod
from traptor.common.messages import Connect, Disconnected, DisconnectKind
from traptor.supervisor.fills.backfills import Backfills
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.gaps.interval import GapCause, IntervalKind, instant
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.ledger.records import Entry

APP = "v2:app"


@dataclass
class World:
    """One connection, `mono` seconds into a gap that began at 0, with the ledger's fills."""

    method: str = "recovery"
    mono: float = 100.0
    cause: GapCause = GapCause.NETWORK
    generation: int | None = 1  # the last that streamed
    book: FillBook = field(default_factory=lambda: FillBook(None, lambda _gap: FillMethod.RECOVERY))

    def __post_init__(self) -> None:
        settings = SimpleNamespace(twitter=SimpleNamespace(fill_gaps=self.method))
        context: Any = SimpleNamespace(settings=settings)
        self.backfills = Backfills(context, self.book, self.book.put, lambda: instant(self.mono))
        gaps = SimpleNamespace(
            kind=IntervalKind.GAP,
            since=instant(0.0),
            standing=SimpleNamespace(cause=self.cause, generation=self.generation),
        )
        self.c: Any = SimpleNamespace(name=APP, app="key", gaps=gaps)

    def minutes(self) -> int:
        return self.backfills.minutes(self.c, self.mono)

    def connect(self, generation: int = 1) -> Any:
        """A stream opens with the minutes that were permitted; it ends the gap."""
        message = Connect(key_id="key", key_name="app", backfill_minutes=self.minutes())
        birth = SimpleNamespace(connection=APP, generation=generation)
        g: Any = SimpleNamespace(birth=birth, connect=message, streaming_since=self.mono)
        since, now = instant(0.0), instant(self.mono)
        self.book.take(Entry(APP, "gap", "network", since.wall, now.wall, self.mono, generation=1))
        self.backfills.connected(g, self.mono)
        return g

    def fill(self) -> Fill:
        return self.book.all()[-1]


def test_a_short_gap_is_brought_by_the_stream_until_the_worker_says_that_it_is_over() -> None:
    world = World()
    assert world.minutes() == 2
    g = world.connect()
    assert (world.fill().method, world.fill().state) == (FillMethod.BACKFILL, FillState.RUNNING)
    assert world.backfills.brings(world.fill(), g)
    assert world.backfills.over(g) == [world.fill()]
    assert world.backfills.over(g) == []


def test_a_longer_gap_is_left_to_a_recovery() -> None:
    world = World(mono=290.0)
    assert world.minutes() == 0
    g = world.connect()
    assert (world.fill().method, world.fill().state) == (FillMethod.RECOVERY, FillState.WAITING)
    assert not world.backfills.brings(world.fill(), g)


def test_the_second_connection_of_an_app_asks_for_none() -> None:
    world = World()
    world.c.name = f"{APP}.2"
    assert world.minutes() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda g: setattr(g, "streaming_since", None),
        lambda g: setattr(g, "streaming_since", 200.0),
        lambda g: setattr(g.birth, "generation", 2),
    ],
)
def test_a_stream_that_ends_too_early_leaves_its_gap_to_a_recovery_or_the_next_connect(
    change: Callable[[Any], None],
) -> None:
    world = World()
    g = world.connect()
    change(g)
    world.c.gaps.since = instant(150.0)
    world.mono = 160.0
    assert world.minutes() == 3  # from the beginning of the first gap
    assert not world.backfills.brings(world.fill(), g)
    assert (world.fill().method, world.fill().state) == (FillMethod.RECOVERY, FillState.WAITING)
    other: Any = SimpleNamespace(birth=SimpleNamespace(connection=APP, generation=9))
    assert world.backfills.over(other) == []


def test_what_is_too_old_does_not_keep_the_rest_from_being_brought() -> None:
    world = World(mono=1000.0)
    world.book.take(Entry(APP, "gap", "crash", instant(0.0).wall, instant(50.0).wall, 50.0, generation=1))
    world.c.gaps.since = instant(950.0)
    assert world.minutes() == 2


@pytest.mark.parametrize(
    "world",
    [
        World(method="no"),
        World(method="search"),
        World(cause=GapCause.START, generation=None),
        World(cause=GapCause.OPERATOR_STOP),
        World(cause=GapCause.COST),
    ],
)
def test_none_is_asked_for_where_nothing_is_to_be_filled(world: World) -> None:
    assert world.minutes() == 0


def test_a_connection_that_streams_or_has_no_app_asks_for_none() -> None:
    world = World()
    world.c.gaps.kind = IntervalKind.STREAMING
    assert world.minutes() == 0
    world = World()
    world.c.app = None
    assert world.minutes() == 0


@pytest.mark.parametrize(("status", "is_refused"), [(400, True), (403, True), (503, False), (429, False)])
def test_an_app_whose_contract_has_none_is_asked_once(status: int, is_refused: bool) -> None:
    world = World()
    connect = Connect(key_id="key", key_name="app", backfill_minutes=2)
    g: Any = SimpleNamespace(birth=SimpleNamespace(connection=APP, generation=1), connect=connect)
    refusal = Disconnected(kind=DisconnectKind.HTTP, at=1.0, last_byte_at=1.0, streamed=False, status=status)
    assert world.backfills.refused(g, refusal) is is_refused
    assert world.minutes() == (0 if is_refused else 2)


def test_a_refused_connect_that_asked_for_none_is_no_refusal_of_it() -> None:
    world = World()
    connect = Connect(key_id="key", key_name="app")
    g: Any = SimpleNamespace(birth=SimpleNamespace(connection=APP, generation=1), connect=connect)
    refusal = Disconnected(kind=DisconnectKind.HTTP, at=1.0, last_byte_at=1.0, streamed=False, status=403)
    assert not world.backfills.refused(g, refusal)
    assert world.minutes() == 2
