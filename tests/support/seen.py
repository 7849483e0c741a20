"""What the status and the server's record show of a collection's keys."""

from __future__ import annotations

from support.collection import Collection, Json
from support.waiting import wait_for


def attempts(collection: Collection, account: str | None = None) -> list[Json]:
    """Every connect, or those that named this account's key, in order."""
    found = collection.sandbox.attempts()
    return [one for one in found if account is None or one["consumer_key"] == f"ck-{account}"]


def open_now(collection: Collection) -> list[Json]:
    return [c for c in collection.sandbox.connections() if c["closed_at"] is None]


def states(collection: Collection) -> dict[str, str]:
    """The state of each key, by its name."""
    return {key["key"]: key["state"] for key in collection.status()["keys"]}


def watch(collection: Collection, seconds: float) -> None:
    """Let the supervisor run on for so long, by its own status."""
    at = wait_for(lambda: collection.status().get("at"), "a status")
    wait_for(lambda: collection.status()["at"] > at + seconds, f"{seconds} s later")
