"""What is asked about rules while Redis is away is answered with why, and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from support.configuration import KEY, MINIMAL, Configuration
from trial.ports import free_port

from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.figures import Figures
from traptor.rulekit.service.rules import RuleDesk
from traptor.supervisor.control.refusals import CONTENT_TYPE, as_problem_details


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/api/rules?search=x", None),
        ("GET", "/api/rules/stats", None),
        ("POST", "/api/rules", {"type": "track", "value": "flood"}),
        ("DELETE", "/api/rules?of=track&rule_id=1", None),
    ],
)
def test_without_redis_each_answer_says_why(tmp_path: Path, method: str, target: str, body: object) -> None:
    port = free_port()
    settings = Configuration(tmp_path).load(f"{MINIMAL}[redis]\nurl = redis://127.0.0.1:{port}/0\n{KEY}")

    async def talk() -> tuple[int, str, Any]:
        app = web.Application(middlewares=[as_problem_details])
        for room in (RuleDesk(lambda: settings, Aside()), Figures(lambda: settings, Aside())):
            app.add_routes(room.routes())
        async with TestClient(TestServer(app)) as client:
            answer = await client.request(method, target, json=body)
            return answer.status, answer.content_type, await answer.json(content_type=CONTENT_TYPE)

    status, content_type, told = asyncio.run(talk())
    assert (status, content_type) == (503, CONTENT_TYPE)
    assert f"127.0.0.1:{port}" in told["detail"]
