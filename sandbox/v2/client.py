"""The part of the sandbox's client for the v2 side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]
Call = Callable[[str, str, object], Any]
Lines = Callable[[str], Iterator[Json]]


class V2Client:
    """Talks to the API under /sandbox/v2; raises what SandboxClient raises."""

    def __init__(self, call: Call, lines: Lines) -> None:
        self._call = call
        self._lines = lines

    def apps(self) -> list[Json]:
        """Return the apps: name, id, filters, slots taken, used windows."""
        return list(self._get("apps"))

    def set_enterprise(self, *apps: str) -> None:
        """Give these apps an Enterprise contract, or with `all` every app, and the others the usual one."""
        self._call("PUT", "/sandbox/v2/enterprise", {"apps": list(apps)})

    def filters(self, app: str | None = None) -> list[Json]:
        """Return all filters ever listed, of one app or of all, with their times."""
        return list(self._get(f"filters{_query(app)}"))

    def forget_filters(self, app: str | None = None) -> int:
        """Remove the filters of one app or of all at once; return how many were listed."""
        return int(self._call("DELETE", f"/sandbox/v2/filters{_query(app)}", None)["forgotten"])

    def connections(self) -> list[Json]:
        """Return all v2 connections ever opened, in the order of opening."""
        return list(self._get("connections"))

    def requests(self, endpoint: str | None = None) -> list[Json]:
        """Return all requests to X's endpoints, or to one of them, in order."""
        return [one for one in self._get("requests") if endpoint in (None, one["endpoint"])]

    def matches(self, since: int = 0) -> Iterator[Json]:
        """Yield the record of every post that an app's filters matched, with a number `n` above `since`."""
        return self._lines(f"/sandbox/v2/matches?since={since}")

    def bill(self) -> list[Json]:
        """Return what each app read on each UTC day, and its price."""
        return list(self._get("bill"))

    def lose(self, tweets: Iterable[str] = (), users: Iterable[str] = (), reason: str = "deleted") -> None:
        """Let compliance jobs say of these posts and accounts that they may no longer be kept."""
        body = {"tweets": list(tweets), "users": list(users), "reason": reason}
        self._call("POST", "/sandbox/v2/gone", body)

    def line(self, line: object, app: str | None = None) -> list[int]:
        """Write a line, a text or JSON, to the open streams; return their connections."""
        answer = self._call("POST", "/sandbox/v2/lines", {"line": line, "app": app})
        return list(answer["written_to"])

    def fault(self, kind: str, **fields: Any) -> Json:
        """Request a fault; `fields` are those of the API. Return it with the connections it `struck`."""
        return dict(self._call("POST", "/sandbox/v2/faults", {"fault": kind, **fields}))

    def faults(self) -> Json:
        """Return the `faults` that wait, and the `stalled_connections`."""
        return dict(self._get("faults"))

    def clear_faults(self, app: str | None = None) -> None:
        """End the faults of one app or of all."""
        self._call("DELETE", f"/sandbox/v2/faults{_query(app)}", None)

    def _get(self, path: str) -> Any:
        return self._call("GET", f"/sandbox/v2/{path}", None)


def _query(app: str | None) -> str:
    return "" if app is None else f"?app={quote(app, safe='')}"
