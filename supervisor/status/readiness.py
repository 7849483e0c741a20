"""Whether a supervisor is ready: it has begun to collect, and something is collected. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from traptor.supervisor.problems.board import Health

Json = Mapping[str, Any]


def unreadiness(status: Json) -> Iterator[str]:
    """Yield each reason why it is not ready; none: it is."""
    if status["stopping"]:
        yield "stopping"
    elif (begins := _start(status)) is not None:
        yield f"starting: {begins}"
    elif status["health"] == Health.DOWN:
        yield "nothing is collected"


def _start(status: Json) -> str | None:
    """Return what is missing before the first stream; None when one was opened, or none is wanted."""
    if not status["ready"]:
        return "the rules are being read"
    if any(opening["outcome"] == "stream" for opening in status["openings"]):
        return None
    wanted = [one for one in status["connections"] if one["rules"] and one["state"] != "STOPPED"]
    if wanted and not any(one["collecting"] for one in wanted):
        return "no connection streams yet"
    if not status["connections"] and any(group["rules"] for group in status["groups"]):
        return "nothing is planned yet"
    return None
