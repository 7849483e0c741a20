"""Workers that are stopped or too large are replaced, with evidence and a reason."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from support.collection import Collection, Key
from support.waiting import wait_for

Make = Callable[..., Collection]


def _start(make: Make, **options: object) -> tuple[Collection, int]:
    collection = make(Key("k1"))
    collection.options = {"supervisor": {"health_interval": "300ms", **options}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    return collection, collection.wait_streaming("track:0")["track:0"]


def test_a_stopped_worker_is_replaced_before_it_counts_as_silent(make_collection: Make) -> None:
    collection, pid = _start(make_collection, hang_timeout="10m")
    os.kill(pid, signal.SIGSTOP)
    collection.wait_new_pid("track:0", pid)
    assert collection.wait_log("worker exceeds its limits", f"pid={pid}", "why=stopped", "process=stopped")
    assert collection.connection("track:0")["restart_reasons"] == {"stopped": 1}
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start", "hung"]


def test_a_worker_above_max_memory_is_replaced_with_its_stacks_in_its_log(make_collection: Make) -> None:
    collection, pid = _start(make_collection)
    collection.options["supervisor"]["max_memory"] = "1K"
    collection.write_ini()
    collection.wait_log("worker exceeds its limits", f"pid={pid}", "why=memory", "anonymous_bytes=")
    wait_for(lambda: "most recent call first" in collection.log("track:0"), "stacks in the worker's log")
    del collection.options["supervisor"]["max_memory"]
    collection.write_ini()
    collection.wait_log("reloaded")
    wait_for(lambda: collection.streaming().get("track:0", pid) != pid, "another worker streams")
    assert collection.connection("track:0")["restart_reasons"]["memory"] >= 1


def test_vitals_are_shown(make_collection: Make) -> None:
    collection, _ = _start(make_collection)
    vitals = wait_for(lambda: collection.connection("track:0")["serving"]["vitals"], "vitals in the status")
    assert vitals["anonymous_bytes"] > 0
    assert vitals["descriptors"] > 3
