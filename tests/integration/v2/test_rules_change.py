"""Rules change while the stream goes on: the same connection, the same process, nothing lost."""

from __future__ import annotations

from collections.abc import Callable

from support.collection import Collection, Key
from support.v2 import SANDBOX, connects, is_collected, on_v2, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]

FOLLOWED = "from:12 OR to:12 OR retweets_of:12"


def test_fifty_rules_come_and_go_under_one_stream(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("follow:0", ["12"])
    collection.start()
    before = collection.wait_streaming("v2:app")
    assert collection.connection("v2:app")["groups"] == ["follow:0", "track:0"]
    words = [f"w{number}" for number in range(50)]
    for word in words:
        collection.add_rules("track:0", [word])
        collection.hint("track:0")
    wait_filters(collection, "storm", FOLLOWED, *words)
    wait_for(lambda: is_collected(collection, "w49"), "a rule that came under the stream is collected")
    for word in words:
        collection.remove_rules("track:0", [word])
        collection.hint("track:0")
    wait_filters(collection, "storm", FOLLOWED)
    assert collection.streaming() == before
    assert len(connects(collection)) == 1
