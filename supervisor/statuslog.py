"""The status as log lines, for whoever asks with USR2: what `status.json` holds, in short."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from traptor.common.logs.event import fields

log = logging.getLogger(__name__)

_MOST_LINES = 1000


def log_status(status: Mapping[str, Any]) -> None:
    """Write one line about the supervisor, and one for each connection and key."""
    lines = list(islice(_lines(status), _MOST_LINES + 1))
    for event, members in lines[:_MOST_LINES]:
        log.info(event, extra=fields(**members))
    if len(lines) > _MOST_LINES:
        log.info("the status has more lines than are logged", extra=fields(see="status.json"))


def _lines(status: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, object]]]:
    connections, keys = status["connections"], status["keys"]
    yield (
        "status",
        {
            "version": status["version"],
            "redis": status["redis"],
            "groups": len(status["groups"]),
            "connections": len(connections),
            "streaming": sum(_serving(c).get("state") == "STREAMING" for c in connections),
            "keys": len(keys),
            "failing_jobs": ",".join(job["job"] for job in status["jobs"] if job["error"]) or None,
            "log_lost": status["log_lost"] or None,
        },
    )
    for c in connections:
        yield "status of a connection", _connection(c)
    for key in keys:
        shown = ("key", "state", "lent", "max_connections", "budget_left")
        yield "status of a key", {name: key[name] for name in shown}


def _connection(c: Mapping[str, Any]) -> dict[str, object]:
    serving, total = _serving(c), c["total"]
    return {
        "connection": c["connection"],
        "state": serving.get("state") or c["state"],
        "rules": c["rules"],
        "pid": serving.get("pid"),
        "key": serving.get("key"),
        "received": total["received"],
        "delivered": total["delivered"],
        "outbox": c["outbox"]["messages"] or None,
        "restarts": c["restarts"] or None,
        "waits_for": c["waits_for"],
    }


def _serving(c: Mapping[str, Any]) -> Mapping[str, Any]:
    return c["serving"] or {}
