"""A small synchronous client of the sandbox's API, for tests and the demo."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import requests

from traptor.sandbox.errors import SandboxError, Unreachable
from traptor.sandbox.v2.client import V2Client

Json = dict[str, Any]


class SandboxClient:
    """Talks to the sandbox at `url`.

    `v2` asks and tells the X API v2. Every method raises SandboxError with the sandbox's own words when it
    refuses, and Unreachable when no sandbox answers.
    """

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self.v2 = V2Client(self._call, self._lines)

    def is_up(self) -> bool:
        """Tell whether the sandbox answers."""
        try:
            return bool(self._call("GET", "/healthz")["ok"])
        except SandboxError:
            return False

    def wait_until_up(self, timeout_s: float = 30.0) -> None:
        """Return once the sandbox answers. Raises Unreachable."""
        ends = time.monotonic() + timeout_s
        while not self.is_up():
            if time.monotonic() > ends:
                raise Unreachable(f"{self.url}: no answer within {timeout_s:g} s")
            time.sleep(0.05)

    def state(self) -> Json:
        """Return totals: made, made_by_type, noise, written, rate, running, open_connections, ..."""
        return self._object("GET", "/sandbox/state")

    def rules(self) -> Json:
        """Return the rules that tweets are made for (`rules`) and when they were changed (`changes`)."""
        return self._object("GET", "/sandbox/rules")

    def set_rules(self, rules: Iterable[tuple[str, str]]) -> Json:
        """Make tweets for these (type, value) pairs from the next tweet on."""
        return self._object("PUT", "/sandbox/rules", [{"type": kind, "value": text} for kind, text in rules])

    def set_rate(self, rate: float) -> None:
        """Make this many tweets per second."""
        self._call("PUT", "/sandbox/rate", {"rate": rate})

    def stop_timeline(self) -> int:
        """Stop making tweets, while streams stay open; return how many were made."""
        return int(self._object("POST", "/sandbox/stop-timeline")["made"])

    def start_timeline(self) -> None:
        """Make tweets again."""
        self._call("POST", "/sandbox/start-timeline")

    def burst(self, count: int, values: Sequence[str | Mapping[str, str]] | None = None) -> Json:
        """Make this many tweets at once, for these values in turn or for the rules."""
        return self._object("POST", "/sandbox/burst", {"n": count, "values": values})

    def edit(self, *ids: str) -> list[str]:
        """Publish a new version of each of these tweets; return their ids."""
        return list(self._object("POST", "/sandbox/edits", {"ids": list(ids)})["versions"])

    def set_accounts(self, accounts: Iterable[Mapping[str, Any]]) -> None:
        """Let these accounts connect, and no others; an empty list admits everybody."""
        self._call("PUT", "/sandbox/accounts", list(accounts))

    def connections(self, with_values: bool = True) -> list[Json]:
        """Return all connections ever opened, in the order of opening."""
        return self._list(f"/sandbox/connections?values={'yes' if with_values else 'no'}")

    def attempts(self) -> list[Json]:
        """Return all attempted connects, in order."""
        return self._list("/sandbox/attempts")

    def tweets(self, since: int = 0) -> Iterator[Json]:
        """Yield the record of every tweet with a number `n` above `since`."""
        return self._lines(f"/sandbox/tweets?since={since}")

    def message(self, message: Mapping[str, Any], account: str | None = None) -> list[int]:
        """Write a message to the open streams of one account or of all; return their connections."""
        answer = self._object("POST", "/sandbox/messages", {"message": message, "account": account})
        return list(answer["written_to"])

    def fault(self, kind: str, **fields: Any) -> Json:
        """Request a fault; `fields` are those of the API. Return it with the connections it `struck`."""
        return self._object("POST", "/sandbox/faults", {"fault": kind, **fields})

    def faults(self) -> Json:
        """Return the `faults` that wait for connects, and the `stalled_connections`."""
        return self._object("GET", "/sandbox/faults")

    def clear_faults(self, account: str | None = None) -> None:
        """End the faults of one account or of all."""
        query = "" if account is None else f"?account={requests.compat.quote(account, safe='')}"
        self._call("DELETE", f"/sandbox/faults{query}")

    def begin_soak(self, seed: int, **fields: Any) -> Json:
        """Strike random accounts with random faults; `fields` are `every_s`, `kinds`, `accounts`."""
        return self._object("POST", "/sandbox/soak", {"seed": seed, **fields})

    def soak(self) -> Json:
        """Return the plan of the soak and its `strikes` so far."""
        return self._object("GET", "/sandbox/soak")

    def end_soak(self) -> Json:
        """Stop striking; return the same as soak()."""
        return self._object("DELETE", "/sandbox/soak")

    def _lines(self, path: str) -> Iterator[Json]:
        with self._request("GET", path, stream=True) as response:
            for line in response.iter_lines(chunk_size=65_536):
                yield orjson.loads(line)

    def _object(self, method: str, path: str, body: object = None) -> Json:
        answer = self._call(method, path, body)
        assert isinstance(answer, dict)
        return answer

    def _list(self, path: str) -> list[Json]:
        answer = self._call("GET", path)
        assert isinstance(answer, list)
        return answer

    def _call(self, method: str, path: str, body: object = None) -> Any:
        with self._request(method, path, body) as response:
            return orjson.loads(response.content)

    def _request(
        self, method: str, path: str, body: object = None, stream: bool = False
    ) -> requests.Response:
        data = None if body is None else orjson.dumps(body)
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy from the environment must not come between
                response = session.request(
                    method, f"{self.url}{path}", data=data, timeout=self._timeout_s, stream=stream
                )
        except requests.RequestException as problem:
            raise Unreachable(f"{self.url}: no answer ({type(problem).__name__})") from None
        if response.status_code != 200:
            with response:
                raise SandboxError(f"{method} {path}: {_error(response)}")
        return response


def _error(response: requests.Response) -> str:
    try:
        return str(orjson.loads(response.content)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"HTTP {response.status_code}"
