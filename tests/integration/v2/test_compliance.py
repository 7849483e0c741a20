"""What was collected is checked against X without a running supervisor."""

from __future__ import annotations

import json
from collections.abc import Callable

from support.collection import Collection, Key
from support.v2 import SANDBOX, on_v2, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]


def test_the_posts_of_a_collection_that_are_gone_at_x_are_named(make_collection: Make) -> None:
    sandbox = (*SANDBOX, "--v2-rate", "0", "--v2-compliance", "0.5")
    collection = on_v2(make_collection(Key("app"), sandbox=sandbox))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("v2:app")
    wait_filters(collection, "storm")
    x = collection.sandbox.v2
    wait_for(lambda: all(one["in_effect_at"] for one in x.filters()), "the filter's effect")
    collection.sandbox.burst(50, ["storm"])
    posts = wait_for(lambda: collection.messages("v2:app"), "posts")
    assert collection.stop() == 0
    gone = [post["data"]["id"] for post in posts[:2]]
    x.lose(tweets=gone, reason="deactivated")
    assert collection.programs is not None
    file = collection.folder / "output" / "v2:app.jsonl"
    found = collection.programs.run(
        ["-m", "traptor.supervisor.ctl", "-c", str(collection.ini), "compliance", "check", str(file)]
    )
    assert found.returncode == 4, found.stdout
    told = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
    assert [(one["id"], one["action"], one["reason"]) for one in told] == [
        (post_id, "delete", "deactivated") for post_id in gone
    ]
    assert x.bill()[0]["posts"] == file.read_bytes().count(b"\n")  # it costs nothing
