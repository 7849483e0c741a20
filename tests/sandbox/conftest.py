"""Real sandboxes and real clients for the tests of the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from requests_oauthlib import OAuth1
from support.streamreader import StreamReader
from support.waiting import wait_for

from traptor.sandbox.client import SandboxClient
from traptor.sandbox.process import SandboxProcess
from traptor.sandbox.server import Sandbox
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings

FILTER = "/1.1/statuses/filter.json"
Params = dict[str, str]


class Reader(StreamReader):
    """A collector that takes each chunk when it is whole."""

    def __init__(self, url: str, params: Params, account: str = "a", **options: Any) -> None:
        super().__init__(
            "POST",
            f"{url}{FILTER}",
            data=params,
            auth=OAuth1(f"{account}-ck", f"{account}-cs", f"{account}-at", f"{account}-ats"),
            headers={"Accept-Encoding": "identity", **options},
        )

    def _pieces(self) -> Iterator[bytes]:
        return self.response.raw.stream(65_536, decode_content=True)

    @property
    def ids(self) -> list[str]:
        return self.tweet_ids

    def wait_for_tweets(self, count: int) -> None:
        wait_for(lambda: len(self.lines) >= count, f"{count} messages")


class EagerReader(Reader):
    """Takes what has come, whatever is still to come of it."""

    def _pieces(self) -> Iterator[bytes]:
        return StreamReader._pieces(self)


class World:
    """One sandbox and the readers that a test opens on it."""

    def __init__(self, sandbox: SandboxThread | SandboxProcess) -> None:
        self.sandbox = sandbox
        self.url = sandbox.url
        self.client: SandboxClient = sandbox.client
        self._readers: list[Reader] = []

    def read(
        self,
        account: str = "a",
        params: Params | None = None,
        kind: type[Reader] = Reader,
        **options: Any,
    ) -> Reader:
        """Connect and read."""
        reader = kind(self.url, params or {"track": "flood warning"}, account, **options)
        self._readers.append(reader)
        return reader

    def status(self, account: str = "a", params: Params | None = None) -> int:
        """Connect and only tell the status."""
        reader = self.read(account, params)
        reader.close()
        return reader.status

    def connection(self, number: int) -> dict[str, Any]:
        """The record of one connection."""
        return self.client.connections()[number - 1]

    def written_to(self, number: int) -> list[str]:
        """The ids of the tweets that the record says went to a connection."""
        return [tweet["id"] for tweet in self.client.tweets() if number in tweet["connections"]]

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


@pytest.fixture
def start() -> Iterator[Callable[..., World]]:
    """Start sandboxes with settings; quiet ones, with any number of connects, unless told otherwise."""
    worlds: list[World] = []

    def starter(make: Callable[[Settings], Sandbox] = Sandbox, **settings: Any) -> World:
        chosen = Settings(**{"rate": 0, "connects": 0, **settings})
        worlds.append(World(SandboxThread(chosen, make).start()))
        return worlds[-1]

    yield starter
    for world in worlds:
        world.close()
        world.sandbox.stop()


@pytest.fixture
def process() -> Iterator[World]:
    """A quiet sandbox as a process of its own."""
    world = World(SandboxProcess("--rate", "0", "--connects", "0").start())
    yield world
    world.close()
    assert world.sandbox.stop() == 0


@pytest.fixture
def world(start: Callable[..., World]) -> World:
    """A quiet sandbox with one rule of each type."""
    world = start()
    world.client.set_rules([("track", "flood warning"), ("follow", "12"), ("locations", "-10,20,5,40")])
    return world


@pytest.fixture
def eager() -> type[Reader]:
    """The class of readers that wait for nothing."""
    return EagerReader


@pytest.fixture
def until() -> Callable[[Callable[[], object], str], None]:
    """Wait for an observable fact."""
    return wait_for
