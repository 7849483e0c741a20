"""A connection that X still counts for a dead worker is ended, and nobody else's ever is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, connects, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]


def asked(collection: Collection, endpoint: str) -> list[Json]:
    return collection.sandbox.v2.requests(endpoint)


def streaming(collection: Collection) -> int:
    """Start it; the pid of its worker, once X has told from which address it sees us."""
    collection.add_rules("track:0", ["storm"])
    collection.start()
    pid = collection.wait_streaming("v2:app")["v2:app"]
    wait_for(lambda: asked(collection, "connections_list"), "the address is learned")
    return pid


def test_the_connection_of_a_killed_worker_is_ended_and_no_other(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-linger", "300")))
    pid = streaming(collection)
    os.kill(pid, signal.SIGKILL)
    collection.wait_new_pid("v2:app", pid)
    first, *later = collection.sandbox.v2.connections()
    assert first["reason"] == "ForceDisconnect"
    assert [one["reason"] for one in later if one["closed_at"] is not None] == []
    assert len(asked(collection, "connections_list")) == 2, "the first one learned the address"
    assert [one["path"] for one in asked(collection, "connections_kill")] == ["/2/connections"]
    assert [one["status"] for one in connects(collection)] == [200, 429, 200]
    assert {gap["cause"] for gap in collection.gaps("v2:app")} <= {"start", "crash", "slot_held"}


def test_somebody_elses_connection_is_waited_for_and_named(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), rate_limit_backoff="500ms")
    collection.sandbox.v2.fault("zombie", app="app", client_ip="203.0.113.9")
    collection.add_rules("track:0", ["storm"])
    collection.start()
    waits = wait_for(
        lambda: (
            (text := collection.connection("v2:app").get("waits_for"))
            and "203.0.113.9 since 20" in text
            and text
        ),
        "the status says who holds it",
    )
    assert waits.startswith("the app's connection is taken: held from 203.0.113.9 since ")
    wait_for(lambda: len(connects(collection)) >= 3, "it is tried again")
    assert {one["status"] for one in connects(collection)} == {429}
    assert asked(collection, "connections_kill") == []
    [zombie] = [one for one in collection.sandbox.v2.connections() if one["zombie"]]
    assert zombie["reason"] == "zombie"
