"""Every state that an operator should know of is a problem, with its parts, and all tables are complete."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from logging import INFO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.keypools import make_key, make_pool
from support.paperapp import PaperApp, PaperApps
from support.statuses import WORKS, group, status_of
from support.stepping import A, B, SteppedWorld

from traptor.common.fills import FillMethod
from traptor.common.messages import DisconnectKind, Report, TrialReport
from traptor.common.redis.state import RedisState
from traptor.common.rules.rule import GroupId, Rejected
from traptor.supervisor.apps.hold import HoldKind
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.connections.waits import ACTS_SOON_TEXT, MEANINGS, PASSING, STOPPED_TEXT, WaitKind
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.keys.conduct.states import Hindrance, KeyState
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.problems import meanings
from traptor.supervisor.problems.board import Board, Health, health
from traptor.supervisor.problems.causes import heads
from traptor.supervisor.problems.finder import find
from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.problems.sentence import sentence
from traptor.supervisor.reload import ReloadOutcome
from traptor.supervisor.rules.redisuses import RedisUse, UseState
from traptor.supervisor.status.keys import of_key

TRACK = GroupId.parse("track:0")


@pytest.fixture
def world(tmp_path: Path) -> SteppedWorld:
    """track:0 streams with A."""
    one = SteppedWorld(tmp_path, A)
    one.stream(one.connection("track:0", "storm"))
    return one


def only(problems: list[OpenProblem]) -> OpenProblem:
    [one] = problems
    assert one.why
    assert one.todo
    return one


# ---- keys


def ok(_pool: KeyPool) -> None:
    pass


def failed(kind: FailureKind) -> Callable[[KeyPool], None]:
    return lambda pool: pool.records.failed(A.key_id, 0.0, Failure(kind, text="HTTP 4xx"))


def suspect(pool: KeyPool) -> None:
    pool.lend_slot(A.key_id, "track:0", 0.0)
    pool.records.connected(A.key_id, 0.0)
    pool.records.failed(A.key_id, 1.0, Failure(FailureKind.UNAUTHORIZED, text="HTTP 401"))


def closed_soon(pool: KeyPool) -> None:
    pool.records.connected(A.key_id, 0.0)
    pool.records.stream_ended(A.key_id, 1.0, 1.0, DisconnectKind.SERVER_CLOSE)


def unusable(pool: KeyPool) -> None:
    pool.replace([replace(A, source_address="192.0.2.7")], 0.0, lambda _address: False)


def gone(pool: KeyPool) -> None:
    pool.lend_slot(A.key_id, "track:0", 0.0)
    pool.replace([], 0.0, lambda _address: True)


@pytest.mark.parametrize(
    ("prepare", "state", "why", "is_logged"),
    [
        (ok, KeyState.OK, None, False),
        (failed(FailureKind.RATE_LIMITED), KeyState.COOLING, "420 or 429: HTTP 4xx", True),
        (closed_soon, KeyState.COOLING, "closed soon after the 200", True),
        (failed(FailureKind.NETWORK), KeyState.COOLING, None, False),
        (failed(FailureKind.HTTP), KeyState.COOLING, None, False),
        (failed(FailureKind.REFUSED), KeyState.COOLING, None, False),
        (failed(FailureKind.BROKEN), KeyState.COOLING, None, False),
        (suspect, KeyState.SUSPECT, "refused (401/403) while the key streams: HTTP 401", True),
        (failed(FailureKind.UNAUTHORIZED), KeyState.QUARANTINED, "after a refusal (401/403): HTTP 4xx", True),
        (unusable, KeyState.UNUSABLE, "not on this host", False),  # who notices it says it
        (gone, KeyState.GONE, None, False),
    ],
)
def test_each_state_of_a_key_is_a_problem_or_none(
    world: SteppedWorld, prepare: Callable[[KeyPool], None], state: KeyState, why: str | None, is_logged: bool
) -> None:
    pool = make_pool(A, make_key("spare"))
    prepare(pool)
    now = 1.1 if state is not KeyState.COOLING else 0.1
    keys = [of_key(status, now) for status in pool.statuses(now) if status.name == "a"]
    assert [key["state"] for key in keys] == [state]
    found = find({**status_of(world), "keys": keys})
    if why is None:
        assert found == []
        return
    one = only(found)
    assert (one.subject, one.name, one.level) == (Subject.KEY, "a", logging.WARNING)
    assert why in one.why
    assert one.is_said_elsewhere is not is_logged
    assert (one.until is None) == (state in (KeyState.SUSPECT, KeyState.UNUSABLE))


# ---- two connections of one app


def test_one_of_two_connections_that_is_away_is_a_warning_that_there_is_no_reserve(
    world: SteppedWorld,
) -> None:
    world.connection("track:0", "storm")
    shown = status_of(world)
    (one,) = shown["connections"]
    one |= {"connection": "v2:app.2", "covered": True}
    one["wait"] |= {"kind": "slot_held", "why": "X gives the app no second connection"}
    found = only([one for one in find(shown) if one.subject is Subject.APP])
    assert (found.name, found.kind, found.level, found.rules) == ("app", "no_reserve", logging.WARNING, None)
    assert "v2:app.2 does not stream" in found.why
    one["wait"] |= {"kind": "stopped"}
    assert not [one for one in find(shown) if one.subject is Subject.APP]


# ---- rules


def test_suspect_rejected_and_stray_rules_are_problems(world: SteppedWorld) -> None:
    bad = Rejected("traptor-track:0:17", TRACK, "longer than 60 bytes")
    found = find(
        status_of(
            world,
            groups=[group("track:0", rules=5, rejected=(bad, bad)), group("track:1", suspect=True)],
            strays=(Rejected("traptor-tracks:0:1", None, "unknown type"),),
        )
    )
    assert [(one.subject, one.name, one.kind, one.rules) for one in found] == [
        (Subject.GROUP, "track:1", "rules_suspect", None),
        (Subject.RULES, "track:0", "rejected", 2),
        (Subject.RULES, "strays", "strays", 1),
    ]
    assert found[1].why == "traptor-track:0:17: longer than 60 bytes"
    assert found[2].why == "traptor-tracks:0:1: unknown type"


# ---- Redis and heartbeats


@pytest.mark.parametrize("use", list(RedisUse))
@pytest.mark.parametrize("state", list(RedisState))
def test_each_use_of_redis_that_fails_is_a_problem(
    world: SteppedWorld, use: RedisUse, state: RedisState
) -> None:
    found = find(status_of(world, redis={**WORKS, use: UseState(state, 7.0, "why")}))
    if state in (RedisState.OK, RedisState.UNKNOWN):
        assert found == []
    else:
        one = only(found)
        assert (one.subject, one.name, one.why, one.since) == (Subject.REDIS, use, "why", 7.0)


def test_heartbeats_that_are_withheld_or_shared_are_problems_unless_that_was_ordered(
    world: SteppedWorld,
) -> None:
    shared = frozenset({TRACK})
    found = find(status_of(world, groups=[group("track:0")], foreign=shared, withheld={TRACK: "no key"}))
    assert {(one.kind, one.level) for one in found} == {
        ("withheld", logging.WARNING),
        ("shared", logging.WARNING),
    }
    assert only(find(status_of(world, withheld={TRACK: STOPPED_TEXT}))).level == logging.INFO


# ---- the output, the reload, jobs


def reported(world: SteppedWorld, **parts: Any) -> None:
    [g] = world.fleet.generations
    now = world.now
    usual: dict[str, Any] = {
        "at": now, "activity": "reading", "activity_since": now, "last_byte_at": now, "safe_until": now,
        "backlog": 0, "outbox_bytes": 0, "counters": g.counters,
    }  # fmt: skip
    g.last_report = Report(**{**usual, **parts})


def test_an_output_that_fails_or_is_behind_is_a_problem(world: SteppedWorld) -> None:
    assert status_of(world)["output"]["state"] == "unknown"
    reported(world)
    assert status_of(world)["output"]["state"] == "ok"
    assert find(status_of(world)) == []
    reported(world, output_trouble="no broker answers", oldest_at=world.now - 20)
    one = only(find(status_of(world)))
    assert (one.subject, one.kind, one.why, one.level) == (
        Subject.OUTPUT, "failing", "no broker answers", logging.ERROR,
    )  # fmt: skip
    assert one.since == pytest.approx(status_of(world)["at"] - 20, abs=5)
    reported(world, unconfirmed_since=world.now - 90, oldest_at=world.now - 100)
    assert only(find(status_of(world))).why == "it confirms nothing"
    reported(world, oldest_at=world.now - 700)
    assert only(find(status_of(world))).kind == "behind"


def test_a_trial_that_fails_is_a_warning_and_the_output_stays_well(world: SteppedWorld) -> None:
    assert status_of(world)["trial"] is None
    settings = world.context.settings
    traptor = settings.traptor.model_copy(update={"output_trial": "old"})
    world.context.settings = replace(settings, traptor=traptor)
    assert status_of(world)["trial"]["state"] == "unknown"
    usual: dict[str, Any] = {
        "backlog": 3, "outbox_bytes": 900, "unconfirmed_since": None, "oldest_at": None, "trouble": "",
    }  # fmt: skip
    reported(world, trial=TrialReport(**usual))
    shown = status_of(world)["trial"]
    assert (shown["name"], shown["state"], shown["messages"], shown["bytes"]) == ("old", "ok", 3, 900)
    assert find(status_of(world)) == []
    reported(world, trial=TrialReport(**usual | {"trouble": "no topic old"}))
    assert status_of(world)["output"]["state"] == "ok"
    one = only(find(status_of(world)))
    assert (one.subject, one.name, one.kind, one.why, one.level) == (
        Subject.TRIAL, "old", "failing", "no topic old", logging.WARNING,
    )  # fmt: skip
    assert sentence(one, 0.0, 0.0).startswith("trial old FAILING")
    reported(world, trial=TrialReport(**usual | {"unconfirmed_since": world.now - 90}))
    assert only(find(status_of(world))).why == "it confirms nothing"
    reported(world, trial=TrialReport(**usual | {"oldest_at": world.now - 700}))
    assert only(find(status_of(world))).kind == "behind"


def test_a_refused_reload_a_failing_job_and_a_start_without_rules_are_problems(world: SteppedWorld) -> None:
    one = only(find(status_of(world, reload=ReloadOutcome(5.0, refused=("traptor.ini:3: no", "more")))))
    assert (one.subject, one.since, one.why) == (Subject.RELOAD, 5.0, "traptor.ini:3: no")
    assert find(status_of(world, reload=ReloadOutcome(5.0, restart=("[redis] url",)))) == []
    failing = {"job": "hints", "failures": 2, "error": "OSError: no", "retry_at": 9.0}
    assert only(find(status_of(world, jobs=[failing, {**failing, "error": None}]))).name == "hints"
    assert only(find(status_of(world, known=False))).kind == "not_ready"
    assert only(find(status_of(world, log_fails=True))).subject is Subject.LOG
    unwritten = {**status_of(world), "ledger": {"unwritten": 9, "error": "state_dir is full"}}
    assert "state_dir is full" in only(find(unwritten)).why
    away = {**WORKS, RedisUse.RULES: UseState(RedisState.AWAY, 1.0, "no answer")}
    first = find(status_of(world, known=False, redis=away))[0]
    assert "no answer" in first.why
    assert first.todo == "bring it back, or correct [redis]"


# ---- apps of API v2


def app(**parts: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "key": "a1", "hold": None, "hold_why": None, "hold_until": None, "waiting": 0, "waiting_first": [],
        "rejected": 0, "rejected_first": [], "mostly_rejected": [], "filters": {"foreign": 0, "strange": 0},
        "sync": {"trouble": None, "again_at": None},
    }  # fmt: skip
    return {**usual, **parts}


@pytest.mark.parametrize("kind", list(HoldKind))
def test_each_hold_of_an_app_is_a_problem_or_none(world: SteppedWorld, kind: HoldKind) -> None:
    held = app(hold=kind, hold_why="so it is", hold_until=9.0)
    found = find({**status_of(world), "apps": [app(), held]})
    if meanings.HOLDS[kind] is None:
        assert found == []
    else:
        one = only(found)
        assert (one.subject, one.name, one.kind, one.until) == (Subject.APP, "a1", kind, 9.0)


def test_most_rules_of_a_group_that_are_rejected_are_an_error_and_single_ones_a_warning(
    world: SteppedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rules = [{"key": "traptor-track:0:1", "reason": "X does not take it"}]
    board, status = Board(), status_of(world)

    def found(**parts: Any) -> list[tuple[str, int]]:
        seen = {**status, "apps": [app(rejected=2, rejected_first=rules, **parts)]}
        board.look(seen, world.now)
        return [(one.kind, one.level) for one in find(seen)]

    assert found() == [("rejected", logging.WARNING)]
    assert found(mostly_rejected=["track:0"]) == [("mostly_rejected", logging.ERROR)]
    [listed] = board.listed(status["at"])
    assert listed["subject"] == "app a1 MOSTLY REJECTED 2 rules"
    assert listed["why"] == "most rules of track:0; traptor-track:0:1: X does not take it"
    assert found() == [("rejected", logging.WARNING)]
    assert [(one.levelname, one.getMessage()) for one in caplog.records if "most" in one.getMessage()] == [
        ("ERROR", "most rules of a group are rejected"),
        ("INFO", "no longer most rules of a group are rejected"),
    ]


@pytest.mark.parametrize(("valid", "level"), [(0, "ERROR"), (1, "ERROR"), (2, "WARNING"), (3, "WARNING")])
def test_invalid_rules_of_a_group_are_graver_than_the_rest_of_it(
    world: SteppedWorld, valid: int, level: str
) -> None:
    rejected = tuple(Rejected(f"traptor-track:0:{n}", TRACK, "it has no value") for n in range(2))
    one = only(find(status_of(world, groups=[group("track:0", rules=valid, rejected=rejected)])))
    assert logging.getLevelName(one.level) == level


def test_what_an_app_cannot_take_is_a_problem(world: SteppedWorld) -> None:
    rules = [{"key": "traptor-track:0:1", "reason": "too long"}]
    one = app(
        waiting=3, waiting_first=rules, rejected=1, rejected_first=rules,
        filters={"foreign": 2, "strange": 1, "strange_first": ["storm"]},
        sync={"trouble": "HTTP 503", "again_at": 1_800_000_000.0},
    )  # fmt: skip
    found = find({**status_of(world), "apps": [one]})
    assert [problem.kind for problem in found] == ["unfit", "shared", "rejected", "sync", "foreign"]
    assert [problem.until for problem in found] == [None, None, None, 1_800_000_000.0, None]
    held = app(hold=HoldKind.FOREIGN_FILTERS, hold_why="others", filters={"foreign": 2, "strange": 0})
    assert [problem.kind for problem in find({**status_of(world), "apps": [held]})] == ["foreign_filters"]


# ---- completeness


def test_no_state_is_forgotten_in_the_tables() -> None:
    assert meanings.KEYS.keys() == set(KeyState)
    assert meanings.COOLING.keys() == set(Hindrance)
    assert meanings.REDIS.keys() == set(RedisState)
    assert meanings.HOLDS.keys() == set(HoldKind)
    assert MEANINGS.keys() == set(WaitKind)
    assert set(WaitKind) > PASSING


# ---- the list


def test_the_list_has_the_worst_first_with_all_parts_and_a_sentence_each(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A, B)
    refused = Failure(FailureKind.UNAUTHORIZED, text="HTTP 401: Invalid token")
    world.pool.records.failed(B.key_id, world.now, refused)
    world.stream(world.connection("track:1", "hail", "snow"))
    world.connection("track:0", "storm")
    world.step()
    board = Board()
    shown = status_of(
        world,
        groups=[group("track:1", suspect=True)],
        withheld={TRACK: "no key is free"},
        redis={**WORKS, RedisUse.HEARTBEATS: UseState(RedisState.REFUSED, 1.0, "no right")},
    )
    board.look(shown, world.now)
    listed = board.listed(shown["at"])
    assert [(one["what"], one["name"], one["level"]) for one in listed] == [
        ("connection", "track:0", "ERROR"),
        ("group", "track:1", "ERROR"),
        ("key", "b", "WARNING"),
        ("heartbeat", "track:0", "WARNING"),
        ("redis", "heartbeats", "WARNING"),
    ]
    assert all(one["why"] and one["todo"] and one["sentence"] for one in listed)
    assert listed[0]["sentence"].startswith("track:0 NOT COLLECTING 1 rule since ")
    assert "key b QUARANTINED since" in listed[2]["sentence"]
    assert "HTTP 401: Invalid token" in listed[2]["sentence"]
    assert listed[2]["until"] > shown["at"] + 600
    assert [one["beneath"] for one in listed] == [None, None, None, 0, None], "one cause is one line"
    assert listed[0]["subject"] == "track:0 NOT COLLECTING 1 rule"
    assert len(board) == 4
    assert health(listed) is Health.DEGRADED


@pytest.mark.parametrize(
    ("levels", "expected"),
    [([], Health.OK), (["INFO"], Health.OK), (["WARNING", "INFO"], Health.DEGRADED)],
)
def test_health_follows_from_the_worst_problem(levels: list[str], expected: Health) -> None:
    assert health([{"what": "key", "level": level} for level in levels]) is expected
    assert health([{"what": "all", "level": "ERROR"}]) is Health.DOWN


def test_an_app_without_a_filter_in_effect_is_not_shown_as_collecting(world: SteppedWorld) -> None:
    app = PaperApp()
    world.context.apps = PaperApps({A.key_id: app})
    c = world.context.connections["track:0"]
    c.app, c.group = A.key_id, None
    world.step()
    assert c.streams
    [shown] = status_of(world)["connections"]
    assert (shown["collecting"], shown["uncollected"], shown["shown_state"]) == (False, 1, "STREAMING")
    assert {one.subject: one.kind for one in find(status_of(world))} == {
        Subject.ALL: "nothing_in_effect",
        Subject.CONNECTION: WaitKind.EFFECT,
    }
    app.in_effect = InEffect(acting={TRACK: world.now + 12.0})
    world.step()
    status = status_of(world)
    why = f"{ACTS_SOON_TEXT}: from 05:12:30 on"
    status["heartbeat"] = {"written": 0, "withheld": 1, "why": {"track:0": why}}
    found = find(status)
    assert {(one.subject, one.kind, one.level) for one in found} == {
        (Subject.CONNECTION, WaitKind.ACTS_SOON, INFO),
        (Subject.HEARTBEAT, "withheld", INFO),
    }
    assert heads(found) == [None, 0], "one line, with the time"
    assert found[0].until == pytest.approx(time.time() + 12.0, abs=5.0)
    assert c.wanted is not None
    app.in_effect = InEffect(c.wanted.rules, "all", frozenset((TRACK,)))
    world.step()
    [shown] = status_of(world)["connections"]
    assert (shown["collecting"], shown["uncollected"], shown["shown_state"]) == (True, 0, "UP")
    assert find(status_of(world)) == []


def test_a_connection_that_does_not_stream_is_never_shown_as_up(tmp_path: Path) -> None:
    world = SteppedWorld(tmp_path, A)
    c = world.connection("track:0", "storm")
    seen = []

    def note() -> None:
        [shown] = status_of(world)["connections"]
        seen.append((shown["shown_state"], shown["collecting"], shown["wait"] is None))

    note()
    world.step()
    note()
    g = world.fleet.generations[0]
    world.ready(g)
    note()
    world.connected(g)
    note()
    world.ended(g, DisconnectKind.SERVER_CLOSE)
    note()
    assert seen == [
        ("WAITING_FOR_KEY", False, False),
        ("STARTING", False, False),
        ("CONNECTING", False, False),
        ("UP", True, True),
        ("READY", False, False),
    ]
    [shown] = status_of(world)["connections"]
    assert shown["last_error"]["what"] == "the stream ended: server_close"
    assert shown["uncollected"] == 1
    assert c.uncollected() == 1
    assert SimpleNamespace(**shown).since <= status_of(world)["at"]


def test_a_gap_that_could_not_be_filled_is_a_problem_for_a_day(world: SteppedWorld) -> None:
    fill = Fill(1, "v2:app", 1.0, 2.0, FillMethod.SEARCH).given_up("X answered 403: no access", 1_000.0)
    done = Fill(2, "v2:app", 3.0, 4.0, FillMethod.SEARCH, FillState.DONE, at=1_000.0)
    status = status_of(world) | {"fills": {"fills": [fill.as_json(), done.as_json()]}}
    one = only(find(status | {"at": 2_000.0}))
    assert (one.subject, one.name, one.kind, one.since) == (Subject.APP, "app", "gap_unfilled", 1_000.0)
    assert "could not be filled because X answered 403: no access" in one.why
    assert find(status | {"at": 1_000.0 + 86_401}) == []


@pytest.mark.parametrize(
    ("method", "why", "todo"),
    [
        (FillMethod.SEARCH, "X answered 403: no access", "look whether the app may search the full archive"),
        (FillMethod.RECOVERY, "X answered 404", "look whether the app's contract has recovery"),
        (FillMethod.RECOVERY, "it is older than the 24 hours that X recovers", "see the reason"),
        (FillMethod.SEARCH, "it is older than ledger_keep", "see the reason"),
    ],
)
def test_what_to_do_about_a_gap_that_stays_follows_from_the_reason(
    world: SteppedWorld, method: FillMethod, why: str, todo: str
) -> None:
    fill = Fill(1, "v2:app", 1.0, 2.0, method).given_up(why, 1_000.0)
    status = status_of(world) | {"at": 2_000.0, "fills": {"fills": [fill.as_json()]}}
    assert only(find(status)).todo == f"{todo}; the gap stays"
