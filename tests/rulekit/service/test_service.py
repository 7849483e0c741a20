"""Validation over HTTP, in our form and in the original's."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from traptor.common.errors import TraptorError
from traptor.common.rules.rule import Limits
from traptor.rulekit.service.manager import Manager
from traptor.rulekit.service.validation import PATH, Validation


class Known:
    """Answers for X."""

    async def id_of(self, name: str) -> str:
        if name != "BarackObama":
            raise TraptorError(f"no account for @{name}")
        return "813286"

    async def name_of(self, user_id: str) -> str:
        if user_id != "813286":
            raise TraptorError("Could not find user")
        return "BarackObama"

    async def tweets_a_second(self, values: tuple[str, ...]) -> float:
        return 2.5 if values == ("news",) else 0.0


def ask(path: str, body: object, *, raw: bytes | None = None) -> tuple[int, Any]:
    async def talk() -> tuple[int, Any]:
        app = web.Application(client_max_size=4 << 20)
        validation = Validation(
            Limits,
            lambda verdict: {"v2": len(verdict.values)},
            lambda verdicts: (9, range(1, len(verdicts) + 1)),
        )
        rooms = (validation, Manager(Limits, Known()))
        for room in rooms:
            app.add_routes(room.routes())
        async with TestClient(TestServer(app)) as client:
            answer = (
                await client.post(path, data=raw) if raw is not None else await client.post(path, json=body)
            )
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else answer.reason

    return asyncio.run(talk())


def test_one_value_or_many_are_judged() -> None:
    status, verdict = ask(PATH, {"type": "keyword", "value": "Flood"})
    assert (status, verdict["valid"], verdict["values"], verdict["v2"]) == (200, True, ["flood"], 1)
    status, verdicts = ask(PATH, [{"type": "geo", "value": [0, 0, 1, 1]}, {"type": "userid", "value": "x"}])
    assert [one["valid"] for one in verdicts] == [True, False]
    assert "v2" not in verdicts[1]
    assert len(ask(PATH, [{"type": "keyword", "value": "x"}] * 1_000)[1]) == 1_000


def test_many_values_are_judged_beside_the_event_loop() -> None:
    threads: list[str] = []

    def outlook(_verdict: object) -> dict[str, str]:
        threads.append(threading.current_thread().name)
        return {}

    async def talk(body: object) -> int:
        app = web.Application()
        app.add_routes(Validation(Limits, outlook).routes())
        async with TestClient(TestServer(app)) as client:
            return (await client.post(PATH, json=body)).status

    value = {"type": "keyword", "value": "x"}
    assert asyncio.run(talk([value] * 100)) == 200
    assert set(threads) == {"rules"}
    assert asyncio.run(talk([value] * 99 + [{"type": "?", "value": "x"}])) == 400


def test_recent_tweets_are_counted_for_values_that_can_be_rules() -> None:
    values = [{"type": "keyword", "value": value} for value in ("a", "", "b")]
    verdicts = ask(f"{PATH}?seen=yes", [*values, {"type": "username", "value": "ann"}])[1]
    assert [one.get("seen") for one in verdicts] == [
        {"tweets": 9, "matched": 1},
        None,
        {"tweets": 9, "matched": 2},
        None,
    ]
    assert "seen" not in ask(PATH, values[0])[1]


@pytest.mark.parametrize(
    ("body", "raw", "says"),
    [
        ([{"type": "keyword", "value": "x"}] * 1_001, None, "at most 1000"),
        (3, None, "expected an object"),
        ({"type": "x", "value": "x"}, None, "is not a kind of value"),
        (None, b"{", "the body is not JSON"),
    ],
)
def test_a_request_of_another_form_is_refused(body: object, raw: bytes | None, says: str) -> None:
    status, reason = ask(PATH, body, raw=raw)
    assert status == 400
    assert says in reason


@pytest.mark.parametrize(
    ("rule", "status", "answer"),
    [
        ({"type": "username", "value": "BarackObama"}, 200, {"status": "ok", "userid": "813286"}),
        ({"type": "username", "value": "@BarackObama"}, 200, {"status": "ok", "userid": "813286"}),
        ({"type": "username", "value": "x"}, 500, {"status": "error", "error": "no account for @x"}),
        ({"type": "keyword", "value": "news"}, 200, {"status": "ok", "tweets_per_second": 2.5}),
        ({"type": "hashtag", "value": "news"}, 200, {"status": "ok", "tweets_per_second": 0.0}),
        ({"type": "geo", "value": "80,80,80,80"}, 200, {"status": "ok", "geo_type": "legacy"}),
        (
            {"type": "geo", "value": "100,100,100,100"},
            500,
            {"status": "error", "error": "Lat/lon out of range: 100, 100"},
        ),
    ],
)
def test_the_originals_requests_are_answered_in_its_shapes(
    rule: dict[str, Any], status: int, answer: dict[str, Any]
) -> None:
    assert ask("/v1.0/validate", rule) == (status, {"context": rule, **answer})


def test_what_the_original_called_a_bad_request_is_one() -> None:
    assert ask("/v1.0/validate", {"type": "keyword"}) == (
        400,
        {
            "detail": "'value' is a required property",
            "status": 400,
            "title": "Bad Request",
            "type": "about:blank",
        },
    )


def test_a_screen_name_is_found_by_id() -> None:
    asked = {"userid": "813286"}
    assert ask("/v1.0/screen_name", asked) == (
        200,
        {"context": asked, "screen_name": "BarackObama", "status": "ok"},
    )
    assert ask("/v1.0/screen_name", {"userid": "1"})[0] == 500
    assert ask("/v1.0/screen_name", {"userid": "x"})[1]["status"] == "error"
    assert ask("/v1.0/screen_name", {})[0] == 400
