"""Every state that keeps rules uncollected, or may come to that, is a line at its beginning and its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from support.statuses import status_of
from support.stepping import A, B, SteppedWorld
from support.waiting_ways import WAYS_TO_WAIT, Prepare

from traptor.supervisor.connections.waits import MEANINGS, WaitKind
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.problems.causes import heads
from traptor.supervisor.problems.finder import find
from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.problems.watch import Watch
from traptor.supervisor.workers.states import ConnectionState, GenerationState

Lines = list[tuple[str, str, dict[str, Any]]]
Said = Callable[[], Lines]

LATER_S = 31.0  # by then every problem counts


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Level, event and fields of what the watch has said since it was last asked."""
    caplog.set_level(logging.INFO)

    def lines() -> Lines:
        records = [record for record in caplog.records if record.name.endswith("problems.watch")]
        found = [(record.levelname, record.message, shown(record)) for record in records]
        caplog.clear()
        return found

    return lines


def shown(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in cast(Any, record).fields.items() if value is not None}


def about_track_0(lines: Lines, event: str) -> tuple[str, dict[str, Any]]:
    """Level and fields of the one such line of the connection."""
    [found] = [
        (line[0], line[2]) for line in lines if line[1] == event and line[2]["connection"] == "track:0"
    ]
    return found


# ---- connections


def of_connections(world: SteppedWorld) -> list[OpenProblem]:
    return [one for one in find(status_of(world)) if one.subject in (Subject.CONNECTION, Subject.ALL)]


@pytest.mark.parametrize(("prepare", "kind", "cause"), WAYS_TO_WAIT)
def test_each_way_to_wait_is_said_once_when_it_begins_and_when_it_ends(
    tmp_path: Path, said: Said, prepare: Prepare, kind: WaitKind, cause: GapCause
) -> None:
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm", "flood")
    prepare(world, c)
    watch, now = Watch(), world.now
    for at in (now, now + LATER_S, now + 2 * LATER_S):
        watch.look(of_connections(world), at)
    lines = said()
    if kind is WaitKind.STOPPED:  # the order was said
        assert lines == []
        assert [(one.level, one.rules) for one, _ in watch.lasting()] == [(logging.INFO, 2)]
        return
    level, about = about_track_0(lines, "rules are not collected")
    assert level == logging.getLevelName(MEANINGS[kind].level)
    assert about["rules"] == 2
    assert c.wait is not None
    assert about["why"].startswith(c.wait.text)
    assert about["todo"] == MEANINGS[kind].todo
    assert ("until" in about) == (c.wait.until is not None)
    assert about.get("key") == c.wait.key
    assert [level for level, event, _ in lines if event == "nothing streams"] == ["ERROR"], cause
    watch.look([], now + 3 * LATER_S)
    level, _ = about_track_0(said(), "rules no longer wait")
    assert level == "INFO"


@pytest.mark.parametrize("status", [503, 429])
def test_of_a_key_that_rests_the_servers_answer_is_said_and_those_alike_are_one_cause(
    tmp_path: Path, status: int
) -> None:
    world = SteppedWorld(tmp_path, A, B)
    for g in [world.start(world.connection(name, "storm")) for name in ("track:0", "track:1")]:
        world.refused(g, status)
    problems = of_connections(world)
    assert [one.why.endswith(f" (HTTP {status})") for one in problems] == [True] * 3
    assert heads(problems) == [None, 0, 0], "nothing streams, and both connections beneath it"


# Where the line need not name a key: there is none, or the key is not to blame.
WITHOUT_KEY = {
    WaitKind.STARTING,
    WaitKind.NO_KEY,
    WaitKind.RULES_REFUSED,
    WaitKind.CRASHED,
    WaitKind.NO_WORKER,
    WaitKind.TURN,
    WaitKind.PACED,
    WaitKind.OUTBOX_FULL,
    WaitKind.STEP_FAILED,
    WaitKind.REFRESH_DUE,
    WaitKind.NO_WAY,
    WaitKind.STOPPED,
}


@pytest.mark.parametrize(("prepare", "kind", "cause"), WAYS_TO_WAIT)
def test_a_wait_for_a_key_names_it(tmp_path: Path, prepare: Prepare, kind: WaitKind, cause: GapCause) -> None:
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm")
    prepare(world, c)
    assert c.wait is not None
    assert (c.wait.key is None) == (kind in WITHOUT_KEY), cause


def test_every_state_of_a_connection_has_its_line_or_needs_none(tmp_path: Path) -> None:
    """Each of these states is reached by one of the ways above; by its wait it is said."""
    reached = {ConnectionState.UP, ConnectionState.QUIET}
    for number, (prepare, _, _) in enumerate(WAYS_TO_WAIT):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = SteppedWorld(folder, A)
        c = world.connection("track:0", "storm")
        prepare(world, c)
        assert of_connections(world)
        reached.add(c.state(world.now))
    assert reached == set(ConnectionState)


def test_every_cause_of_a_gap_is_that_of_a_wait_or_is_over_at_once() -> None:
    waited_with = {cause for _, _, cause in WAYS_TO_WAIT}
    at_once = {GapCause.REFRESH, GapCause.STALL, GapCause.SHUTDOWN, GapCause.MASTER_DOWN}
    assert waited_with | at_once == set(GapCause)


def test_a_connection_that_streams_or_has_no_rules_is_no_problem(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    c, quiet = world.connection("track:0", "storm"), world.connection("follow:0")
    world.stream(c)
    assert of_connections(world) == []
    del world.connections[c.name]
    assert quiet.name in world.connections
    assert of_connections(world) == []


def test_a_start_is_no_problem_and_one_that_never_ends_is(tmp_path: Path, said: Said) -> None:
    world = SteppedWorld(tmp_path, A)
    world.connection("track:0", "storm")
    world.step()
    watch, now = Watch(), world.now
    watch.look(of_connections(world), now)
    watch.look(of_connections(world), now + 29)
    assert said() == []
    watch.look(of_connections(world), now + 30)
    assert [event for _, event, _ in said()] == ["nothing streams", "rules are not collected"]


def test_the_next_try_is_no_end_of_the_problem(tmp_path: Path, said: Said) -> None:
    """A key that is refused again and again is one story, until its stream is open."""
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm")
    g = world.start(c)
    world.refused(g, 420)
    watch, now, wait = Watch(), world.now, c.wait
    for number in range(4):
        g.state, c.wait = GenerationState.READY, wait
        watch.look(of_connections(world), now + number)
        g.state, c.wait = GenerationState.CONNECTING, None
        watch.look(of_connections(world), now + number + 0.5)
    assert [event for _, event, _ in said()] == ["nothing streams", "rules are not collected"]
    g.state = GenerationState.STREAMING
    watch.look(of_connections(world), now + 10)
    assert [(level, event, about["after_s"]) for level, event, about in said()] == [
        ("INFO", "standstill is over", 10.0),
        ("INFO", "rules no longer wait", 10.0),
    ]


def test_a_part_beyond_the_keys_is_said_while_others_stream(tmp_path: Path, said: Said) -> None:
    world = SteppedWorld(tmp_path, A)
    first = world.connection("track:0", "a", "b")
    world.connection("track:0.2", "c", part=2)
    world.stream(first)
    watch = Watch()
    watch.look(of_connections(world), world.now)
    [(level, event, about)] = said()
    assert (level, event) == ("ERROR", "rules are not collected")
    assert (about["connection"], about["rules"], about["why"]) == ("track:0.2", 1, "no key is free")


def test_a_refresh_that_waits_says_how_many_rules_wait_and_is_no_error(tmp_path: Path, said: Said) -> None:
    world = SteppedWorld(tmp_path, A, limits=PoolLimits(connects=3))
    c = world.connection("track:0", "storm")
    world.stream(c, seconds_ago=50)
    world.want(c, "storm", "flood", "hail")
    world.step()
    assert c.successor is not None
    world.ready(c.successor)
    watch = Watch()
    watch.look(of_connections(world), world.now)
    [(level, event, about)] = said()
    assert (level, event, about["rules"], about["key"]) == ("WARNING", "rules are not collected", 2, "a")
    assert about["why"].startswith("refresh waits: 1 of 3 connects in 300 s are used")
    assert "until" in about


def test_a_refresh_for_which_no_rule_waits_is_intended(tmp_path: Path, said: Said) -> None:
    world = SteppedWorld(tmp_path, A, limits=PoolLimits(connects=3))
    c = world.connection("track:0", "storm")
    world.stream(c, seconds_ago=50)
    assert c.wanted is not None
    c.wanted = replace(c.wanted, spec=replace(c.wanted.spec, ticket=7))
    world.step()
    assert c.successor is not None
    world.ready(c.successor)
    Watch().look(of_connections(world), world.now)
    [(level, event, about)] = said()
    assert (level, event, about["rules"]) == ("INFO", "refresh waits", 0)


def test_rules_that_are_not_known_are_said_as_nothing_streams_when_it_lasts(
    tmp_path: Path, said: Said
) -> None:
    world, watch = SteppedWorld(tmp_path, A), Watch()
    for now in (0.0, 9.0):
        watch.look(find(status_of(world, known=False)), now)
        assert said() == []
    watch.look(find(status_of(world, known=False)), 10.0)
    [(level, event, about)] = said()
    assert (level, event) == ("ERROR", "nothing streams")
    assert about["why"] == "no rules are known yet: they are being read"
    watch.look(find(status_of(world)), 12.0)
    assert said() == [("INFO", "standstill is over", {"after_s": 12.0})]
