"""Which groups have a heartbeat: decisions alone, without Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stepping import A, SteppedWorld

from traptor.common.rules import GroupId
from traptor.supervisor.heartbeats import Pulse, silences

TRACK, FOLLOW = GroupId.parse("track:0"), GroupId.parse("follow:0")


def test_a_group_beats_while_any_part_streams_and_is_silent_when_none_does(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    first = world.connection("track:0", "storm", "flood")
    world.connection("track:0.2", "hail", part=2)
    g = world.stream(first)
    assert silences([TRACK], world.context.connections.values(), []) == [(TRACK, "")]
    world.set_keys()
    world.step()
    assert silences([TRACK], world.context.connections.values(), []) == [(TRACK, "no key is free")]
    assert not g.streams


def test_every_reason_of_a_silence_is_told_once(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    for part, name in ((1, "track:0"), (2, "track:0.2"), (3, "track:0.3")):
        world.connection(name, f"word{part}", part=part)
    world.step()
    [(_, why)] = silences([TRACK], world.context.connections.values(), [])
    assert why == "its worker is starting, no key is free"


def test_groups_without_rules_beat_and_so_do_those_that_lost_theirs_lately(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    world.connection("track:0")
    world.step()
    said = silences([TRACK], world.context.connections.values(), [FOLLOW, TRACK])
    assert said == [(TRACK, ""), (FOLLOW, "")]


def test_a_beat_is_due_an_interval_after_the_last_or_at_once_after_a_silence() -> None:
    pulse = Pulse()
    pulse.look([(TRACK, "")], 0.0)
    assert pulse.due(5.0, 0.0) == (TRACK,)
    pulse.written([TRACK], 0.0)
    assert pulse.due(5.0, 4.9) == ()
    pulse.look([(TRACK, "its worker is starting")], 5.0)
    assert pulse.due(5.0, 5.0) == ()
    pulse.look([(TRACK, "")], 6.0)
    assert pulse.due(5.0, 6.0) == (TRACK,), "its heartbeat expires at 7.5: it must not miss a whole interval"


def test_a_heartbeat_that_is_withheld_is_said_when_it_has_expired_and_once() -> None:
    pulse = Pulse()
    pulse.look([(TRACK, "")], 0.0)
    pulse.written([TRACK], 0.0)
    pulse.look([(TRACK, "no key is free")], 1.0)
    assert pulse.withheld() == {TRACK: "no key is free"}
    assert list(pulse.missed(5.0, 7.4)) == []
    assert list(pulse.missed(5.0, 7.5)) == [(TRACK, "no key is free")]
    assert list(pulse.missed(5.0, 60.0)) == []
    assert list(pulse.recovered()) == []
    pulse.look([(TRACK, "")], 70.0)
    assert list(pulse.recovered()) == [TRACK]
    assert list(pulse.recovered()) == []
    assert pulse.withheld() == {}


@pytest.mark.parametrize("silent_from", [0.0, 3.0])
def test_one_that_never_was_is_said_after_the_time_that_it_would_have_lasted(silent_from: float) -> None:
    pulse = Pulse()
    pulse.look([(TRACK, "no key is free")], silent_from)
    pulse.look([(TRACK, "the server refuses its rules")], silent_from + 7)
    assert list(pulse.missed(5.0, silent_from + 7.4)) == []
    assert list(pulse.missed(5.0, silent_from + 7.6)) == [(TRACK, "the server refuses its rules")]


def test_a_group_that_is_served_no_more_is_forgotten() -> None:
    pulse = Pulse()
    pulse.look([(TRACK, "no key is free"), (FOLLOW, "")], 0.0)
    pulse.look([(FOLLOW, "")], 10.0)
    assert list(pulse.missed(5.0, 100.0)) == []
    assert pulse.due(5.0, 10.0) == (FOLLOW,)
