"""How each use of Redis stands, and what is said when that changes."""

from __future__ import annotations

import itertools
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis import exceptions

from traptor.common.errors import RedisUnavailable
from traptor.common.redis.client import UnexpectedReply, redis_client, state_after, unavailable
from traptor.common.redis.state import RedisState
from traptor.supervisor.rules.redisuses import EFFECTS, RedisUse, RedisUses, overall

OWN = [use for use in RedisUse if use is not RedisUse.COUNTERS]  # the master's
CLIENT = redis_client("redis://:SECRET@127.0.0.1:1/0", 1.0)
AWAY = exceptions.ConnectionError("Connection refused")
REFUSED = exceptions.NoPermissionError("no right")


def make_uses(*, runs: bool = True) -> RedisUses:
    return RedisUses(lambda: runs, itertools.count(100.0).__next__)


@pytest.mark.parametrize(
    ("error", "state", "advice"),
    [
        (exceptions.ConnectionError("refused"), RedisState.AWAY, "that the server runs"),
        (TimeoutError(), RedisState.AWAY, "that the server runs"),
        (ConnectionResetError(104, "reset"), RedisState.AWAY, "that the server runs"),
        (exceptions.BusyLoadingError("LOADING"), RedisState.AWAY, "still loading"),
        (exceptions.AuthenticationError("WRONGPASS"), RedisState.REFUSED, "user and password"),
        (exceptions.AuthorizationError("DENIED"), RedisState.REFUSED, "user and password"),
        (exceptions.NoPermissionError("NOPERM"), RedisState.REFUSED, "the right to do this"),
        (exceptions.ReadOnlyError("READONLY"), RedisState.REFUSED, "name the primary"),
        (exceptions.OutOfMemoryError("OOM"), RedisState.REFUSED, "maxmemory"),
        (exceptions.ResponseError("ERR DB index is out of range"), RedisState.REFUSED, "the database"),
        (UnexpectedReply("nonsense"), RedisState.REFUSED, "what listens"),
    ],
)
def test_an_error_says_whether_redis_is_away_or_refuses_and_what_to_do(
    error: Exception, state: RedisState, advice: str
) -> None:
    assert state_after(error) is state
    wrapped = RedisUnavailable("x")
    wrapped.__cause__ = error
    assert state_after(wrapped) is state
    said = str(unavailable(CLIENT, error))
    assert advice in said
    assert "127.0.0.1:1" in said


def test_a_password_in_an_error_is_not_said() -> None:
    assert "SECRET" not in str(unavailable(CLIENT, exceptions.ResponseError("with SECRET")))


def test_each_use_has_a_state_since_when_and_the_last_error() -> None:
    uses = make_uses()
    assert overall(uses.states()) is RedisState.UNKNOWN
    tell = uses.teller(RedisUse.RULES, CLIENT)
    tell(None)
    tell(None)
    state = uses.states()[RedisUse.RULES]
    assert (state.state, state.since, state.error) == (RedisState.OK, 100.0, None)
    tell(AWAY)
    tell(REFUSED)
    tell(exceptions.NoPermissionError("still no right"))
    state = uses.states()[RedisUse.RULES]
    assert (state.state, state.since) == (RedisState.REFUSED, 102.0)
    assert "still no right" in (state.error or "")
    assert uses.states()[RedisUse.HEARTBEATS].state is RedisState.UNKNOWN
    assert overall(uses.states()) is RedisState.REFUSED


def test_away_is_said_once_for_all_uses_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    uses = make_uses()
    tells = [uses.teller(use, CLIENT) for use in OWN]
    for error in (None, AWAY, AWAY, None, AWAY):
        for tell in tells:
            tell(error)
    assert [record.message for record in caplog.records] == [
        "Redis is away",
        "Redis is back",
        "Redis is away",
    ]
    assert (
        fields_of(caplog.records[0])["effect"] == "running streams continue; nothing changes until it is back"
    )


def test_a_refusal_is_said_for_each_use_with_what_it_means(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    uses = make_uses()
    for use in OWN:
        tell = uses.teller(use, CLIENT)
        for error in (REFUSED, REFUSED, None):
            tell(error)
    said = [(record.message, fields_of(record)["used_for"]) for record in caplog.records]
    assert said == [(text, use) for use in OWN for text in ("Redis refuses", "Redis accepts requests again")]
    effects = [fields_of(record).get("effect") for record in caplog.records[::2]]
    assert effects == [f"running streams continue; {EFFECTS[use]}" for use in OWN]


def test_at_a_start_where_nothing_runs_it_is_not_said_that_what_runs_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    uses = make_uses(runs=False)
    uses.teller(RedisUse.RULES, CLIENT)(exceptions.AuthenticationError("WRONGPASS"))
    [record] = caplog.records
    assert record.message == "Redis refuses"
    assert fields_of(record)["effect"] == "nothing can start before it works"
    assert "check user and password" in fields_of(record)["error"]


def test_the_counters_are_as_the_worst_worker_reports() -> None:
    def worker(state: RedisState, error: str = "") -> Any:
        return SimpleNamespace(redis_state=state, redis_error=error)

    def counters(*workers: Any) -> tuple[RedisState, str | None]:
        state = make_uses().states(workers)[RedisUse.COUNTERS]
        return state.state, state.error

    silent = None
    assert counters() == counters(silent) == (RedisState.UNKNOWN, None)
    assert counters(silent, worker(RedisState.OK)) == (RedisState.OK, None)
    assert counters(worker(RedisState.OK), worker(RedisState.AWAY, "gone")) == (RedisState.AWAY, "gone")
    assert counters(worker(RedisState.REFUSED, "no"), worker(RedisState.OK)) == (RedisState.REFUSED, "no")
    uses = make_uses()
    since = [uses.states([worker(state)])[RedisUse.COUNTERS].since for state in (RedisState.OK,) * 3]
    assert since == [100.0] * 3
    assert uses.states([worker(RedisState.AWAY)])[RedisUse.COUNTERS].since == 101.0


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    return cast(Any, record).fields


def test_a_use_that_is_refused_and_away_in_turns_is_said_once_until_it_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that answers nonsense has its connections broken off, too."""
    caplog.set_level(logging.INFO)
    uses = make_uses()
    tell = uses.teller(RedisUse.RULES, CLIENT)
    for outcome in (None, *[REFUSED, AWAY] * 3, REFUSED, None, REFUSED):
        tell(outcome)
    assert [record.message for record in caplog.records] == [
        "Redis refuses",
        "Redis is away",
        "Redis accepts requests again",
        "Redis is back",
        "Redis refuses",
    ]
