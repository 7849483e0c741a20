"""A connection that X still counts for a dead worker is ended, and nobody else's ever is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, closed_gaps, connects, end_connection, on_v2
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


@pytest.mark.long
def test_the_connection_of_a_killed_worker_is_ended_and_no_other(make_collection: Make) -> None:
    """With the waits that are usual: none of them is a part of the ten seconds."""
    waits = {"connect_rate": "2", "rate_limit_backoff": "60s", "http_backoff": "5s"}
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-linger", "300")), **waits)
    collection.options["supervisor"] = {"restart_backoff": "1s", "restart_backoff_max": "60s"}
    pid = streaming(collection)
    [held] = collection.sandbox.v2.connections()
    killed_at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    collection.wait_new_pid("v2:app", pid)
    refused, opened = [one for one in connects(collection) if one["at_mono"] > killed_at]
    assert (refused["status"], opened["status"]) == (429, 200)
    [listed] = [one for one in asked(collection, "connections_list") if one["at_mono"] > killed_at]
    [ended] = asked(collection, "connections_kill")
    assert (ended["method"], ended["path"], ended["uuids"]) == ("DELETE", "/2/connections", [held["uuid"]])
    assert refused["n"] < listed["n"] < ended["n"] < opened["n"]
    assert opened["at_mono"] - killed_at <= 10.0
    first, second = collection.sandbox.v2.connections()
    assert (first["reason"], second["closed_at"]) == ("ForceDisconnect", None)
    *_, crash, held_gap = closed_gaps(collection)
    assert (crash["cause"], held_gap["cause"]) == ("crash", "slot_held")
    assert crash["to_unix"] == held_gap["from_unix"], "one goes over into the other"


@pytest.mark.long
def test_somebody_elses_connection_is_waited_for_and_named(make_collection: Make) -> None:
    """It is as old as ours, whose worker is killed: only its address tells that it is not ours."""
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), rate_limit_backoff="500ms")
    pid = streaming(collection)
    x = collection.sandbox.v2
    x.fault("zombie", app="app", client_ip="203.0.113.9")
    os.kill(pid, signal.SIGKILL)
    [zombie] = [one for one in x.connections() if one["zombie"]]
    since = datetime.fromtimestamp(zombie["opened_at"], UTC).strftime("%Y-%m-%dT%H:%M:%S")
    waits = wait_for(
        lambda: (
            (text := collection.connection("v2:app").get("waits_for"))
            and f"203.0.113.9 since {since}" in text
            and text
        ),
        "the status says who holds it",
    )
    assert waits.startswith(f"the app's connection is taken: held from 203.0.113.9 since {since}")
    wait_for(lambda: len(connects(collection)) >= 4, "it is tried again and again")
    _, *tried = connects(collection)
    assert {one["status"] for one in tried} == {429}
    for step, (earlier, later) in enumerate(pairwise(tried)):
        assert later["at_mono"] - earlier["at_mono"] >= 0.5 * 2**step, "it waits by backoff"
    assert asked(collection, "connections_kill") == []
    [zombie] = [one for one in x.connections() if one["zombie"]]
    assert zombie["reason"] == "zombie"
    assert "slot_held" not in {gap["cause"] for gap in closed_gaps(collection)}, "it lasts"

    end_connection(collection, zombie["uuid"])
    ended_at = time.time()
    collection.wait_new_pid("v2:app", pid)
    *_, crash, held = closed_gaps(collection)
    assert (crash["cause"], held["cause"]) == ("crash", "slot_held")
    assert crash["to_unix"] == held["from_unix"], "one goes over into the other"
    assert held["to_unix"] >= ended_at, "it lasts until the slot is free"
