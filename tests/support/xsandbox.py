"""A sandbox with X's API v2 in a thread, with one app and a worker's order to connect as it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests

from support.planted import SECRET
from traptor.common.messages import Connect
from traptor.sandbox.client import SandboxClient
from traptor.sandbox.server import Sandbox
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v2.client import V2Client
from traptor.sandbox.v2.settings import V2Settings

TOKEN = f"bt{SECRET}"
APP_CONNECT = Connect(key_id="0" * 8, key_name="app", bearer_token=TOKEN)
_RULES = "/2/tweets/search/stream/rules"


class XSandbox:
    """A running sandbox, and X's API for the filters of the one app."""

    def __init__(self, url: str, client: SandboxClient) -> None:
        self.url = url
        self.client = client

    @property
    def v2(self) -> V2Client:
        """The client for the v2 side of the sandbox's own API."""
        return self.client.v2

    def add(self, *values: str) -> list[str]:
        """Add filters, and return their ids in the order of `values`."""
        answer = self._post({"add": [{"value": value} for value in values]})
        ids = {one["value"]: one["id"] for one in answer["data"]}
        return [ids[value] for value in values]

    def delete(self, ids: Sequence[str]) -> None:
        """Delete filters."""
        self._post({"delete": {"ids": list(ids)}})

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask with the app's token, and return the answer."""
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {TOKEN}"}
            answer = session.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=20)
            answer.raise_for_status()
            return dict(answer.json())

    def put(self, address: str, text: str) -> None:
        """Upload a text to an address that the sandbox named."""
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Content-Type": "text/plain"}
            session.put(address, data=text, headers=headers, timeout=20).raise_for_status()

    def _post(self, body: object) -> dict[str, Any]:
        return self.call("POST", _RULES, body)


@contextmanager
def x_sandbox(**settings: Any) -> Iterator[XSandbox]:
    """Run a quiet sandbox; filters act at once and any rate is allowed unless told otherwise."""
    usual = {"effect_s": 0.0, "rate": 0.0, "connects": 0, "bearers": {"app": TOKEN}}
    make = partial(Sandbox, v2=V2Settings(**{**usual, **settings}))
    with SandboxThread(Settings(rate=0, connects=0), make) as sandbox:
        yield XSandbox(sandbox.url, sandbox.client)
