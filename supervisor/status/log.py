"""Log the status in short, on USR2: the content of `status.json`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from traptor.common.logs.event import fields

log = logging.getLogger(__name__)

MOST_LINES = 1000  # of each kind


def log_status(status: Mapping[str, Any]) -> None:
    """Write one line about the supervisor, and one for each connection and key."""
    log.info("status", extra=fields(**_whole(status)))
    connections, keys = status["connections"], status["keys"]
    for c in connections[:MOST_LINES]:
        log.info("status of a connection", extra=fields(**_connection(c)))
    for key in keys[:MOST_LINES]:
        log.info("status of a key", extra=fields(**_key(key)))
    if max(len(connections), len(keys)) > MOST_LINES:
        log.info("the status is cut short in the log", extra=fields(see="status.json"))


def _whole(status: Mapping[str, Any]) -> dict[str, object]:
    connections = status["connections"]
    return {
        "version": status["version"],
        "redis": status["redis"],
        "groups": len(status["groups"]),
        "connections": len(connections),
        "streaming": sum(_serving(c).get("state") == "STREAMING" for c in connections),
        "keys": len(status["keys"]),
        "failing_jobs": ",".join(job["job"] for job in status["jobs"] if job["error"]) or None,
        "log_lost": status["log_lost"] or None,
    }


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


def _key(key: Mapping[str, Any]) -> dict[str, object]:
    return {name: key[name] for name in ("key", "state", "lent", "max_connections", "budget_left")}


def _serving(c: Mapping[str, Any]) -> Mapping[str, Any]:
    return c["serving"] or {}
