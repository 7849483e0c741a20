"""The choice among the ways of a refresh, and the transitions of a handover."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import pytest

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.supervisor.connections.handover import Handover, Possible, Way, choose_way
from traptor.supervisor.gaps.interval import GapCause, Instant, Interval
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.workers.generation import Generation

ALL = tuple(Way)


@pytest.mark.parametrize(
    ("possible", "way"),
    [
        (Possible(slot=True, spare=True, overlap=True, serial=True), Way.SLOT),
        (Possible(slot=False, spare=True, overlap=True, serial=True), Way.SPARE),
        (Possible(slot=False, spare=False, overlap=True, serial=True), Way.OVERLAP),
        (Possible(slot=False, spare=False, overlap=False, serial=True), Way.SERIAL),
        (Possible(slot=False, spare=False, overlap=False, serial=False), None),
    ],
)
def test_the_first_possible_way_is_taken(possible: Possible, way: Way | None) -> None:
    assert choose_way(ALL, possible) is way


def test_the_order_of_the_ini_does_not_matter() -> None:
    possible = Possible(slot=True, spare=True, overlap=True, serial=True)
    assert choose_way((Way.SERIAL, Way.SPARE), possible) is Way.SPARE


def test_a_way_that_is_not_allowed_is_never_taken() -> None:
    for flags in product((False, True), repeat=4):
        possible = Possible(*flags)
        for left_out in Way:
            assert choose_way([way for way in Way if way is not left_out], possible) is not left_out


AT = 1_000.0
OLD = cast(Generation, SimpleNamespace(birth=SimpleNamespace(generation=1)))
NEW = cast(Generation, SimpleNamespace(birth=SimpleNamespace(generation=2)))


class Under:
    """A handover whose old generation streams since AT, with the intervals that its timeline completed."""

    def __init__(self, way: Way | None = None) -> None:
        self.taken: list[Interval] = []
        gaps = GapTracker("track:0", Instant(AT, AT), self.taken.append)
        gaps.planned(GapCause.START, Instant(AT, AT))
        gaps.streaming(1, Instant(AT, AT))
        self.gaps, self.handover = gaps, Handover(gaps)
        self.handover.begin(NEW)
        if way is not None:
            self.handover.connect_in(way)

    def overlap_closes(self, at: float) -> None:
        message = Disconnected(kind=DisconnectKind.SERVER_CLOSE, at=at, last_byte_at=at, streamed=True)
        self.handover.overlap_closed(OLD, message)

    def shown(self) -> dict[str, Any]:
        handover = self.handover
        names = ("successor", "way", "old_returns", "serial_due", "held_back", "successor_first")
        values = {name: getattr(handover, name) for name in names}
        return {name: value for name, value in values.items() if value not in (None, False)}


@pytest.mark.parametrize("way", [None, *Way])
def test_success_leaves_nothing_behind(way: Way | None) -> None:
    under = Under(way)
    under.handover.hold_back("k", Failure(FailureKind.UNAUTHORIZED))
    under.handover.succeed(AT + 1)
    assert under.shown() == {}
    assert not under.handover.spend_pace()


@pytest.mark.parametrize("way", [Way.SLOT, Way.SPARE, Way.OVERLAP])
def test_after_a_failure_beside_a_stream_the_old_one_streams_on_and_the_new_one_asks_again(way: Way) -> None:
    under = Under(way)
    under.handover.fail(OLD, AT + 10)
    assert under.shown() == {"successor": NEW}


def test_after_a_failure_in_serial_the_old_one_connects_first_and_serial_waits() -> None:
    under = Under(Way.SERIAL)
    assert under.handover.successor_first
    under.handover.fail(OLD, AT + 10)
    assert under.shown() == {"successor": NEW, "old_returns": True, "serial_due": AT + 10}
    under.handover.end_return()
    assert under.shown() == {"successor": NEW, "serial_due": AT + 10}


def test_a_failed_successor_with_no_old_generation_beside_it_has_nobody_to_let_go_first() -> None:
    under = Under(Way.SERIAL)
    under.handover.fail(None, AT + 10)
    assert under.shown() == {"successor": NEW, "serial_due": AT + 10}


def test_a_successor_that_died_is_gone_and_the_old_one_connects_first_where_its_stream_was_closed() -> None:
    under = Under(Way.SERIAL)
    under.handover.lose_successor(OLD, AT + 10)
    assert under.shown() == {"old_returns": True, "serial_due": AT + 10}


def test_the_pace_of_a_serial_connect_is_taken_once_and_of_other_ways_never() -> None:
    for way in Way:
        handover = Under(way).handover
        assert handover.spend_pace() is (way is Way.SERIAL)
        assert not handover.spend_pace()


@pytest.mark.parametrize("leave", [Handover.take_place, Handover.abandon])
def test_a_successor_leaves_its_place_once(leave: Any) -> None:
    under = Under(Way.SERIAL)
    assert leave(under.handover) is NEW
    assert under.shown() == {}
    assert leave(under.handover) is None


def test_a_refusal_that_is_held_back_ends_with_the_old_generation() -> None:
    under = Under(Way.SERIAL)
    under.handover.hold_back("k", Failure(FailureKind.UNAUTHORIZED))
    under.handover.fail(OLD, AT + 10)
    assert under.handover.held_back == ("k", Failure(FailureKind.UNAUTHORIZED))
    under.handover.lose_old()
    assert under.shown() == {"successor": NEW, "serial_due": AT + 10}


def test_a_stream_that_an_overlap_closed_lasts_until_its_successors() -> None:
    under = Under(Way.OVERLAP)
    under.overlap_closes(AT + 5)
    assert under.handover.successor_first, "nothing streams now"
    under.gaps.streaming(2, Instant(AT + 6, AT + 6))
    under.handover.succeed(AT + 6)
    assert [each.cause for each in under.taken] == []


def test_a_stream_that_an_overlap_closed_for_nothing_has_a_gap_from_its_end() -> None:
    under = Under(Way.OVERLAP)
    under.overlap_closes(AT + 5)
    under.handover.fail(OLD, AT + 10)
    assert under.shown() == {"successor": NEW, "old_returns": True, "serial_due": AT + 10}
    assert under.gaps.standing.cause is GapCause.SERVER_CLOSE
    assert under.gaps.standing.open_from.mono == AT + 5


def test_nobody_else_can_assign_what_a_handover_holds() -> None:
    for name in ("successor", "way", "old_returns", "serial_due", "held_back", "successor_first"):
        with pytest.raises(AttributeError):
            setattr(Under().handover, name, None)
