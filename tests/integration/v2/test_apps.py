"""Several apps, changed keys, changed settings, and a master that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace

from support.collection import Collection, Key
from support.control import post
from support.v2 import SANDBOX, connects, filters, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]


def test_each_app_serves_its_groups_and_a_refused_one_costs_only_itself(make_collection: Make) -> None:
    keys = (Key("a", groups="follow:*"), Key("b", groups="track:*, locations:*"))
    collection = on_v2(make_collection(*keys, sandbox=SANDBOX))
    collection.sandbox.v2.fault("status", app="a", endpoint="stream", status=403)
    collection.add_rules("follow:0", ["42"])
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("v2:b")
    wait_for(lambda: collection.key("a").get("state") == "QUARANTINED", "the refused key is quarantined")
    assert collection.connection("v2:a")["waits_for"].startswith("its key is quarantined")
    tags = {one["app"]: one["tag"] for one in collection.sandbox.v2.filters()}
    assert tags["a"].startswith("traptor/default/follow:0/")
    assert tags["b"].startswith("traptor/default/track:0/")
    assert {one["app"] for one in connects(collection) if one["status"] == 200} == {"b"}

    # A test of a key asks X; the only connection of its app streams on, and no other one is opened.
    path, before = collection.run_dir / "control.sock", (collection.streaming(), len(connects(collection)))
    status, answer = post(path, "/api/keys/b/test")
    assert (status, answer["good"], answer["status"]) == (200, True, 200)
    assert "open: 1 connection of the app (1 of ours); no stream was opened" in answer["detail"]
    collection.sandbox.v2.fault("status", app="a", endpoint="connections_list", status=401, times=1)
    status, answer = post(path, "/api/keys/a/test")
    assert (status, answer["good"]) == (200, False)
    assert "401" in answer["detail"]
    assert before == (collection.streaming(), len(connects(collection)))


def test_a_changed_secret_replaces_the_worker_one_after_the_other(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    before = collection.wait_streaming("v2:app")["v2:app"]
    collection.keys = [replace(collection.keys[0], consumer_secret="SECRET-new")]
    collection.set_accounts()
    collection.write_ini()
    collection.signal(signal.SIGHUP)
    collection.wait_new_pid("v2:app", before)
    first, second = collection.sandbox.v2.connections()
    assert first["closed_mono"] <= second["opened_mono"], "the app has one connection"
    assert {one["status"] for one in connects(collection)} == {200}
    collection.wait_log("gap connection=v2:app cause=refresh")
    assert filters(collection) == {"storm"}


def test_a_killed_master_is_followed_by_one_that_takes_the_slot_back(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-linger", "300")))
    collection.add_rules("track:0", ["storm"])
    process = collection.start()
    collection.wait_streaming("v2:app")
    wait_for(lambda: collection.sandbox.v2.requests("connections_list"), "the address is learned")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    collection.start()
    wait_for(
        lambda: [one["status"] for one in connects(collection)] == [200, 429, 200],
        "the dead connection is ended, and the stream opens",
    )
    assert filters(collection) == {"storm"}
    assert len(collection.sandbox.v2.filters()) == 1, "nothing is added twice"
