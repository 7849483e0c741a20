"""A trial side by side, over a whole collection: every post in both forms, whatever ends a worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, on_v2, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]


def trial_counts(collection: Collection) -> dict[str, int]:
    return dict(collection.connection("v2:app")["total"]["trial"])


def lines(collection: Collection, name: str) -> int:
    file = collection.folder / "output" / name
    return file.read_bytes().count(b"\n") if file.exists() else 0


def compared(collection: Collection) -> str:
    assert collection.programs is not None
    files = [str(collection.folder / "output" / name) for name in ("v2:app.jsonl", "v2:app.old.jsonl")]
    found = collection.programs.run(["-m", "traptor.supervisor.ctl", "compare", *files])
    assert found.returncode == 0, found.stdout
    return found.stdout


def status_of_trial(collection: Collection) -> Json:
    trial: Json = collection.status()["trial"]
    return trial


def test_every_post_is_in_both_files_in_its_form_over_the_kill_of_a_worker(make_collection: Make) -> None:
    collection = make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0"))
    collection.options["traptor"] = {"expand": "all", "output_trial": "old"}
    on_v2(collection)
    collection.add_rules("track:0", ["storm", "flood"])
    collection.start()
    pid = collection.wait_streaming("v2:app")["v2:app"]
    wait_filters(collection, "storm", "flood")
    x = collection.sandbox.v2
    wait_for(lambda: all(one["in_effect_at"] for one in x.filters()), "the filters' effect")
    collection.sandbox.burst(200, ["storm", "flood"])
    first = len(list(x.matches()))
    wait_for(lambda: lines(collection, "v2:app.old.jsonl") == first, "the posts of the trial")
    wait_for(lambda: trial_counts(collection)["delivered"] == first, "their count")
    shown = status_of_trial(collection)
    assert (shown["name"], shown["state"], shown["messages"]) == ("old", "ok", 0)
    os.kill(pid, signal.SIGKILL)
    collection.wait_new_pid("v2:app", pid)
    collection.sandbox.burst(100, ["storm", "flood"])
    wait_for(lambda: lines(collection, "v2:app.jsonl") > first, "more posts")
    assert collection.stop() == 0
    both = lines(collection, "v2:app.jsonl")
    assert compared(collection) == f"{both} posts in both files, 0 differences\n"
