"""Which groups have a heartbeat: decisions alone, without Redis."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.paperapp import PaperApp, PaperApps
from support.stepping import A, SteppedWorld

from traptor.common.rules.rule import GroupId
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.connections.waits import ACTS_SOON_TEXT
from traptor.supervisor.heartbeats import silences
from traptor.supervisor.pulse import Found, Pulse, Sent

TRACK, FOLLOW = GroupId.parse("track:0"), GroupId.parse("follow:0")


INTERVAL_S = 5.0


def sent(at: float, value: bytes = b"20261123100000") -> Sent:
    return Sent(value, 7.5, at)


def test_groups_that_began_at_different_times_soon_beat_together() -> None:
    pulse, written = Pulse(), []
    for at in range(16):
        now = float(at)
        pulse.look([(TRACK, ""), *([(FOLLOW, "")] if at >= 2 else [])], now)
        if due := pulse.due(INTERVAL_S, now):
            written.append((now, due))
            pulse.written(due, now, sent(now))
    assert written == [
        (0.0, (TRACK,)),
        (2.0, (FOLLOW,)),
        (5.0, (TRACK, FOLLOW)),
        (10.0, (TRACK, FOLLOW)),
        (15.0, (TRACK, FOLLOW)),
    ]


def test_a_group_beats_while_any_part_streams_and_is_silent_when_none_does(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    first = world.connection("track:0", "storm", "flood")
    world.connection("track:0.2", "hail", part=2)
    g = world.stream(first)
    assert silences({TRACK: True}, world.context.connections.values(), []) == [(TRACK, "")]
    world.set_keys()
    world.step()
    assert silences({TRACK: True}, world.context.connections.values(), []) == [
        (TRACK, "no key is configured")
    ]
    assert not g.streams


def test_every_reason_of_a_silence_is_told_once(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    for part, name in ((1, "track:0"), (2, "track:0.2"), (3, "track:0.3")):
        world.connection(name, f"word{part}", part=part)
    world.step()
    [(_, why)] = silences({TRACK: True}, world.context.connections.values(), [])
    assert why == "its worker is starting, no key is free"


def test_groups_without_rules_beat_and_so_do_those_that_lost_theirs_lately(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    world.connection("track:0")
    world.step()
    said = silences({TRACK: False}, world.context.connections.values(), [FOLLOW, TRACK])
    assert said == [(TRACK, ""), (FOLLOW, "")]


def test_a_group_whose_rules_are_known_and_not_planned_yet_does_not_beat() -> None:
    """Every start has such a moment, and a beat of it would last for seconds."""
    assert silences({TRACK: True, FOLLOW: False}, [], []) == [
        (TRACK, "its connection is not planned yet"),
        (FOLLOW, ""),
    ]


def test_a_group_of_an_app_beats_while_a_rule_of_it_is_in_effect_at_x(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    app = PaperApp()
    world.context.apps = PaperApps({A.key_id: app})
    c = world.connection("track:0", "storm")
    c.app, c.group = A.key_id, None

    def said() -> list[tuple[GroupId, str]]:
        world.step()
        return silences({TRACK: True, FOLLOW: False}, world.context.connections.values(), [])

    assert said() == [(TRACK, "its worker is starting"), (FOLLOW, "")]
    world.stream(c)
    assert said() == [(TRACK, "none of its rules has a filter in effect at X"), (FOLLOW, "")]
    app.in_effect = InEffect((), "", frozenset(), {TRACK: time.monotonic() + 20.0})
    [(_, why), _] = said()
    assert re.fullmatch(f"{ACTS_SOON_TEXT}: from [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} on", why)
    app.in_effect = InEffect((), "", frozenset((TRACK,)))
    assert said() == [(TRACK, ""), (FOLLOW, "")]


def test_a_beat_is_due_an_interval_after_the_last_or_at_once_after_a_silence() -> None:
    pulse = Pulse()
    pulse.look([(TRACK, "")], 0.0)
    assert pulse.due(5.0, 0.0) == (TRACK,)
    pulse.written([TRACK], 0.0, sent(0.0))
    assert pulse.due(5.0, 4.9) == ()
    pulse.look([(TRACK, "its worker is starting")], 5.0)
    assert pulse.due(5.0, 5.0) == ()
    pulse.look([(TRACK, "")], 6.0)
    assert pulse.due(5.0, 6.0) == (TRACK,), "its heartbeat expires at 7.5: it must not miss a whole interval"


def test_a_heartbeat_that_is_withheld_is_said_when_it_has_expired_and_once() -> None:
    pulse = Pulse()
    pulse.look([(TRACK, "")], 0.0)
    pulse.written([TRACK], 0.0, sent(0.0))
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


# ---- somebody else's heartbeat


def beaten(pulse: Pulse, times: int, found: Found | None) -> list[GroupId]:
    """The groups that are said to be foreign over so many intervals, in each of which this is found."""
    said = []
    for beat in range(times + 1):
        now = beat * INTERVAL_S
        pulse.look([(TRACK, "")], now)
        pulse.found(TRACK, found, now)
        pulse.written([TRACK], now, sent(now + 0.2))
        said += pulse.newly_foreign(INTERVAL_S, now)
    return said


def test_our_own_heartbeat_is_known_however_late_its_answer_came() -> None:
    """It was written at most when the answer came, so that it has at most 7.5 - 4.8 s to live."""
    for remaining_s in (0.1, 2.5, 2.7):
        assert beaten(Pulse(), 10, Found(b"20261123100000", remaining_s)) == []
    assert beaten(Pulse(), 10, None) == [], "it had expired"


@pytest.mark.parametrize(
    "found", [Found(b"20261123100000", 3.0), Found(b"20261123100004", 2.5), Found(b"x", -0.001)]
)
def test_one_that_lives_longer_or_has_another_value_is_somebody_elses_and_said_once(found: Found) -> None:
    pulse = Pulse()
    assert beaten(pulse, 10, found) == [TRACK]
    assert pulse.foreign(INTERVAL_S, 51.0) == {TRACK}
    assert pulse.foreign(INTERVAL_S, 500.0) == frozenset()


def test_one_alone_says_nothing() -> None:
    """Redis may have been restored from a dump; and of what a predecessor left nothing is known."""
    assert beaten(Pulse(), 1, Found(b"x", 100.0)) == []


def test_what_was_perhaps_written_says_nothing() -> None:
    pulse = Pulse()
    for beat in range(10):
        now = beat * INTERVAL_S
        pulse.look([(TRACK, "")], now)
        pulse.found(TRACK, Found(b"20261123100009", 7.0), now)
        pulse.written([TRACK], now, sent(now))
        pulse.unanswered([TRACK])
    assert pulse.foreign(INTERVAL_S, 50.0) == frozenset()


def test_another_one_that_begins_again_is_said_again() -> None:
    pulse = Pulse()
    assert beaten(pulse, 5, Found(b"x", 1.0)) == [TRACK]
    assert list(pulse.newly_foreign(INTERVAL_S, 1000.0)) == []
    assert beaten(pulse, 5, Found(b"x", 1.0)) == [TRACK]


def watched(pulse: Pulse, finds: Iterable[Found | None]) -> list[GroupId]:
    """The groups that are said to be foreign while they do not beat, and these are found."""
    said = []
    for beat, found in enumerate(finds):
        now = beat * INTERVAL_S
        pulse.look([(TRACK, "no key is free")], now)
        pulse.found(TRACK, found, now)
        pulse.seen(TRACK, found, now + 0.2)
        said += pulse.newly_foreign(INTERVAL_S, now)
    return said


def test_a_heartbeat_that_is_withheld_here_and_lives_on_is_somebody_elses() -> None:
    """As when another supervisor has taken the keys, and with them the streams."""
    assert watched(Pulse(), [Found(b"%d" % beat, 7.0) for beat in range(9)]) == [TRACK]
    assert watched(Pulse(), [Found(b"1", 7.0)] * 9) == [TRACK]


def test_one_that_only_expires_is_nobody_elses() -> None:
    """It was our own, or that of a predecessor with a longer interval."""
    assert watched(Pulse(), [Found(b"1", 40 - beat * INTERVAL_S) for beat in range(8)]) == []
    assert watched(Pulse(), [Found(b"1", 3.0), None, None, None]) == []
