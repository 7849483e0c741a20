"""Sandboxes with the X API v2, and a client of it over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import pytest
import requests
from requests_oauthlib import OAuth1
from support.streamreader import StreamReader
from support.waiting import DEADLINE_S

from traptor.sandbox.client import SandboxClient
from traptor.sandbox.clock import Instant, system_clock
from traptor.sandbox.server import Sandbox
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v2.settings import V2Settings

STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
FOLLOW = "from:12 OR to:12 OR retweets_of:12"


class Stream(StreamReader):
    """A collector of an app's posts."""

    def __init__(self, url: str, bearer: str, params: dict[str, str]) -> None:
        super().__init__(
            "GET", f"{url}{STREAM}", params=params, headers={"Authorization": f"Bearer {bearer}"}
        )

    @property
    def posts(self) -> list[dict[str, Any]]:
        return [one for one in self.messages if isinstance(one, dict) and "data" in one]

    @property
    def ids(self) -> list[str]:
        return [post["data"]["id"] for post in self.posts]

    @property
    def problem(self) -> dict[str, Any]:
        """The body of a refusal."""
        self.wait_for_end()
        return orjson.loads(self.data)


class XApp:
    """Speaks for one app."""

    def __init__(self, url: str, bearer: str) -> None:
        self.url = url
        self.bearer = bearer
        self.streams: list[Stream] = []

    def call(self, method: str, path: str, body: object = None, **params: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                f"{self.url}{path}",
                data=None if body is None else orjson.dumps(body),
                params={name.replace("__", "."): item for name, item in params.items()},
                headers={"Authorization": f"Bearer {self.bearer}", "Content-Type": "application/json"},
                timeout=DEADLINE_S,
            )

    def add(self, *values: str, tag: str | None = None, **params: Any) -> requests.Response:
        more = {} if tag is None else {"tag": tag}
        return self.call("POST", RULES, {"add": [{"value": value, **more} for value in values]}, **params)

    def delete(self, **what: list[str]) -> requests.Response:
        return self.call("POST", RULES, {"delete": what})

    def listed(self) -> list[dict[str, str]]:
        return self.call("GET", RULES).json().get("data", [])

    def stream(self, **params: str) -> Stream:
        named = {name.replace("__", "."): text for name, text in params.items()}
        self.streams.append(Stream(self.url, self.bearer, named))
        return self.streams[-1]

    def connections(self, **params: str) -> list[dict[str, str]]:
        return self.call("GET", "/2/connections", **params).json().get("data", [])


class StepClock:
    """A clock that stands still until a test moves it on."""

    def __init__(self) -> None:
        self._began = system_clock()
        self._passed_s = 0.0

    def __call__(self) -> Instant:
        return Instant(self._began.unix + self._passed_s, self._began.mono + self._passed_s)

    def move_on(self, seconds: float) -> None:
        self._passed_s += seconds


class V2World:
    """One sandbox and apps that use it."""

    def __init__(self, url: str, client: SandboxClient, clock: StepClock | None) -> None:
        self.url = url
        self.client = client
        self.clock = clock
        self.v2 = client.v2
        self.app = XApp(url, "t-one")
        self.other = XApp(url, "t-two")

    def close(self) -> None:
        for app in (self.app, self.other):
            for stream in app.streams:
                stream.close()


@pytest.fixture
def start_v2() -> Iterator[Callable[..., V2World]]:
    """Start sandboxes with v2 settings; filters act at once and any rate is allowed unless told otherwise.

    `steps`: with a clock that the test moves on.
    """
    started: list[tuple[V2World, SandboxThread]] = []

    def starter(v1: dict[str, Any] | None = None, *, steps: bool = False, **settings: Any) -> V2World:
        clock = StepClock() if steps else None
        usual = {"effect_s": 0.0, "rate": 0.0, "bearers": {"one": "t-one", "two": "t-two"}}
        make = partial(Sandbox, v2=V2Settings(**{**usual, **settings}), clock=clock or system_clock)
        sandbox = SandboxThread(Settings(**{"rate": 0, "connects": 0, **(v1 or {})}), make).start()
        started.append((V2World(sandbox.url, sandbox.client, clock), sandbox))
        return started[-1][0]

    yield starter
    for world, sandbox in started:
        world.close()
        sandbox.stop()


@pytest.fixture
def x(start_v2: Callable[..., V2World]) -> V2World:
    """A quiet sandbox whose apps `one` and `two` have no filters yet."""
    return start_v2()


@pytest.fixture
def following(x: V2World) -> V2World:
    """The same with a filter for everything about user 12."""
    assert x.app.add(FOLLOW, tag="f:12").status_code == 201
    return x


class OldStream(StreamReader):
    """A v1.1 connection for the same user."""

    def __init__(self, url: str) -> None:
        auth = OAuth1("a-ck", "a-cs", "a-at", "a-ats")
        super().__init__("POST", f"{url}/1.1/statuses/filter.json", data={"follow": "12"}, auth=auth)

    @property
    def ids(self) -> list[str]:
        return self.tweet_ids


@pytest.fixture
def world_v1() -> Iterator[Callable[[str], OldStream]]:
    """Open v1.1 streams."""
    streams: list[OldStream] = []

    def opener(url: str) -> OldStream:
        streams.append(OldStream(url))
        assert streams[-1].status == 200
        return streams[-1]

    yield opener
    for stream in streams:
        stream.close()
