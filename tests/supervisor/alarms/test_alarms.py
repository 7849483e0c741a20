"""Every state that keeps rules uncollected, or may come to that, is a line at its beginning and its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.keypools import make_key, make_pool
from support.stepping import A, B, SteppedWorld
from support.waiting_ways import WAYS_TO_WAIT, Prepare

from traptor.common.messages import DisconnectKind
from traptor.common.redis.state import RedisState
from traptor.common.rules.rule import GroupId
from traptor.supervisor.alarms import alarm as tables
from traptor.supervisor.alarms.alarm import Alarm, Subject
from traptor.supervisor.alarms.alarms import Alarms
from traptor.supervisor.alarms.finder import Finder, of_groups, of_keys, of_redis
from traptor.supervisor.alarms.watch import Watch
from traptor.supervisor.connections.waits import MEANINGS, PASSING, WaitKind
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.failures import Failure, FailureKind
from traptor.supervisor.keys.pool import KeyPool, PoolLimits
from traptor.supervisor.keys.states import Hindrance, KeyState
from traptor.supervisor.rules.redisuses import RedisUse, UseState
from traptor.supervisor.workers.states import ConnectionState, GenerationState

Lines = list[tuple[str, str, dict[str, Any]]]
Said = Callable[[], Lines]

LATER_S = 31.0  # by then every alarm counts


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Level, event and fields of what the watch has said since it was last asked."""
    caplog.set_level(logging.INFO)

    def lines() -> Lines:
        records = [record for record in caplog.records if record.name.endswith("alarms.watch")]
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


@pytest.mark.parametrize(("prepare", "kind", "cause"), WAYS_TO_WAIT)
def test_each_way_to_wait_is_said_once_when_it_begins_and_when_it_ends(
    tmp_path: Path, said: Said, prepare: Prepare, kind: WaitKind, cause: GapCause
) -> None:
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm", "flood")
    prepare(world, c)
    finder, watch, now = Finder(), Watch(), world.now
    for at in (now, now + LATER_S, now + 2 * LATER_S):
        watch.look(finder.of_connections(world.context.connections.values()), at)
    lines = said()
    level, about = about_track_0(lines, "rules are not collected")
    assert level == logging.getLevelName(MEANINGS[kind].level)
    assert about["rules"] == 2
    assert c.wait is not None
    assert about["why"] == c.wait.text
    assert about["todo"] == MEANINGS[kind].todo
    assert ("until" in about) == (c.wait.until is not None)
    assert about.get("key") == c.wait.key
    assert [level for level, event, _ in lines if event == "nothing streams"] == ["ERROR"], cause
    watch.look([], now + 3 * LATER_S)
    level, _ = about_track_0(said(), "rules no longer wait")
    assert level == "INFO"


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
        assert Finder().of_connections([c])
        reached.add(c.state(world.now))
    assert reached == set(ConnectionState)


def test_every_cause_of_a_gap_is_that_of_a_wait_or_is_over_at_once() -> None:
    waited_with = {cause for _, _, cause in WAYS_TO_WAIT}
    at_once = {GapCause.REFRESH, GapCause.STALL, GapCause.SHUTDOWN, GapCause.MASTER_DOWN}
    assert waited_with | at_once == set(GapCause)


def test_a_connection_that_streams_or_has_no_rules_is_no_alarm(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    c, quiet = world.connection("track:0", "storm"), world.connection("follow:0")
    world.stream(c)
    assert Finder().of_connections([c, quiet]) == []
    assert Finder().of_connections([quiet]) == []


def test_a_start_is_no_alarm_and_one_that_never_ends_is(tmp_path: Path, said: Said) -> None:
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm")
    world.step()
    finder, watch, now = Finder(), Watch(), world.now
    watch.look(finder.of_connections([c]), now)
    watch.look(finder.of_connections([c]), now + 29)
    assert said() == []
    watch.look(finder.of_connections([c]), now + 30)
    assert [event for _, event, _ in said()] == ["rules are not collected", "nothing streams"]


def test_the_next_try_is_no_end_of_the_alarm(tmp_path: Path, said: Said) -> None:
    """A key that is refused again and again is one story, until its stream is open."""
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm")
    g = world.start(c)
    world.refused(g, 420)
    finder, watch, now, wait = Finder(), Watch(), world.now, c.wait
    for number in range(4):
        g.state, c.wait = GenerationState.READY, wait
        watch.look(finder.of_connections([c]), now + number)
        g.state, c.wait = GenerationState.CONNECTING, None
        watch.look(finder.of_connections([c]), now + number + 0.5)
    assert [event for _, event, _ in said()] == ["rules are not collected", "nothing streams"]
    g.state = GenerationState.STREAMING
    watch.look(finder.of_connections([c]), now + 10)
    assert [(level, event, about["after_s"]) for level, event, about in said()] == [
        ("INFO", "rules no longer wait", 10.0),
        ("INFO", "standstill is over", 10.0),
    ]


def test_a_part_beyond_the_keys_is_said_while_others_stream(tmp_path: Path, said: Said) -> None:
    world = SteppedWorld(tmp_path, A)
    first, second = world.connection("track:0", "a", "b"), world.connection("track:0.2", "c", part=2)
    world.stream(first)
    watch = Watch()
    watch.look(Finder().of_connections([first, second]), world.now)
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
    watch, finder = Watch(), Finder()
    watch.look(finder.of_connections([c]), world.now)
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
    Watch().look(Finder().of_connections([c]), world.now)
    [(level, event, about)] = said()
    assert (level, event, about["rules"]) == ("INFO", "refresh waits", 0)


# ---- keys


def ok(_pool: KeyPool) -> None:
    pass


def failed(kind: FailureKind) -> Callable[[KeyPool], None]:
    return lambda pool: pool.failed(A.key_id, 0.0, Failure(kind))


def suspect(pool: KeyPool) -> None:
    pool.lend_slot(A.key_id, "track:0", 0.0)
    pool.connected(A.key_id, 0.0)
    pool.failed(A.key_id, 1.0, Failure(FailureKind.UNAUTHORIZED))


def closed_soon(pool: KeyPool) -> None:
    pool.connected(A.key_id, 0.0)
    pool.stream_ended(A.key_id, 1.0, 1.0, DisconnectKind.SERVER_CLOSE)


def unusable(pool: KeyPool) -> None:
    pool.replace([replace(A, source_address="192.0.2.7")], 0.0, lambda _address: False)


def gone(pool: KeyPool) -> None:
    pool.lend_slot(A.key_id, "track:0", 0.0)
    pool.replace([], 0.0, lambda _address: True)


@pytest.mark.parametrize(
    ("prepare", "state", "why", "has_line"),
    [
        (ok, KeyState.OK, None, False),
        (failed(FailureKind.RATE_LIMITED), KeyState.COOLING, "the server answered 420 or 429", True),
        (closed_soon, KeyState.COOLING, "closed soon after the 200", True),
        (failed(FailureKind.NETWORK), KeyState.COOLING, None, False),
        (failed(FailureKind.HTTP), KeyState.COOLING, None, False),
        (suspect, KeyState.SUSPECT, "refused (401/403) while the key streams", True),
        (failed(FailureKind.UNAUTHORIZED), KeyState.QUARANTINED, "quarantined after a refusal", True),
        (unusable, KeyState.UNUSABLE, "not on this host", False),  # who notices it says it
        (gone, KeyState.GONE, None, False),
    ],
)
def test_each_state_of_a_key_is_said_or_is_none_to_say(
    said: Said, prepare: Callable[[KeyPool], None], state: KeyState, why: str | None, has_line: bool
) -> None:
    pool = make_pool(A, make_key("spare"))
    prepare(pool)
    now = 1.1 if state is not KeyState.COOLING else 0.1
    statuses = [status for status in pool.statuses(now) if status.name == "a"]
    assert [status.state for status in statuses] == [state]
    alarms = list(of_keys(statuses))
    assert [why in alarm.why for alarm in alarms] == ([True] if why is not None else [])
    watch = Watch()
    watch.look(alarms, now)
    watch.look(alarms, now + 60)
    lines = said()
    assert [(level, event) for level, event, _ in lines] == [("WARNING", "key cannot be used")] * has_line
    for _, _, about in lines:
        assert about["key"] == "a"
        assert about["todo"]
        assert ("until" in about) == (state is not KeyState.SUSPECT)
    watch.look([], now + 90)
    assert [event for _, event, _ in said()] == ["key trouble is over"] * has_line


def test_no_state_is_forgotten_in_the_tables() -> None:
    assert tables.KEYS.keys() == set(KeyState)
    assert tables.COOLING.keys() == set(Hindrance)
    assert tables.REDIS.keys() == set(RedisState)
    assert MEANINGS.keys() == set(WaitKind)
    assert set(WaitKind) > PASSING


# ---- the list


def test_what_lasts_is_listed_with_all_its_parts_the_gravest_first(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A, B)
    world.pool.failed(B.key_id, world.now, Failure(FailureKind.UNAUTHORIZED))
    world.stream(world.connection("track:1", "hail", "snow"))
    world.connection("track:0", "storm")
    world.step()
    suspect_group = SimpleNamespace(id=GroupId.parse("track:1"), suspect=True)
    alarms = Alarms(
        world.context,
        cast(Any, SimpleNamespace(all=lambda: [suspect_group])),
        lambda: {GroupId.parse("track:0"): "no key is free"},
        lambda: {RedisUse.HEARTBEATS: UseState(RedisState.REFUSED, 1.0, "no right")},
    )
    now = world.now
    alarms.look(now)
    listed = alarms.status(now + 5)
    assert [(one["what"], one["name"], one["level"]) for one in listed] == [
        ("connection", "track:0", "ERROR"),
        ("group", "track:1", "ERROR"),
        ("key", "b", "WARNING"),
        ("heartbeat", "track:0", "WARNING"),
        ("redis", "heartbeats", "WARNING"),
    ]
    assert all(one["why"] and one["todo"] for one in listed)
    assert abs(listed[0]["since"] - time.time()) < 60
    assert listed[0]["rules"] == 1
    assert listed[2]["until"] > time.time() + 600


def test_what_is_said_elsewhere_has_no_second_line(said: Said) -> None:
    suspect_group: Any = SimpleNamespace(id=GroupId.parse("track:1"), suspect=True)
    found = [
        *of_groups([suspect_group], {GroupId.parse("track:0"): "no key is free"}),
        *of_redis({RedisUse.RULES: UseState(RedisState.AWAY, 1.0, "gone")}),
    ]
    watch = Watch()
    watch.look(found, 0.0)
    watch.look([], 1.0)
    assert len(found) == 3
    assert said() == []


def test_another_reason_is_said_and_an_alarm_that_was_not_said_ends_in_silence(said: Said) -> None:
    watch = Watch()

    def alarm(kind: str, after_s: float = 0.0, key: str | None = None) -> Alarm:
        return Alarm(Subject.CONNECTION, "c", kind, kind, "x", logging.ERROR, after_s, key=key, rules=1)

    watch.look([alarm("blip", 5.0)], 0.0)
    watch.look([], 4.0)
    assert said() == []
    watch.look([alarm("one", key="k1")], 10.0)
    watch.look([alarm("one", key="k2")], 11.0)
    watch.look([alarm("two")], 12.0)
    watch.look([alarm("two")], 13.0)
    watch.look([alarm("blip", 5.0)], 14.0)
    watch.look([], 15.0)
    assert [(event, about.get("why"), about.get("after_s")) for _, event, about in said()] == [
        ("rules are not collected", "one", None),
        ("rules are not collected", "one", None),
        ("rules are not collected", "two", None),
        ("rules no longer wait", None, 5.0),
    ]
