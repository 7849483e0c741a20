"""A group's heartbeat is withheld while none of its rules is in force, and only then."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGHUP

import pytest
from support.collection import Collection, Key
from support.v2 import SANDBOX, end_connection, leave_filters, make_posts, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]


def beats(collection: Collection, group: str) -> bool:
    return bool(collection.redis.exists(f"{group}:heartbeat"))


def why_withheld(collection: Collection, group: str) -> str:
    """What the status says of a group that does not beat."""
    found = [one["heartbeat_why"] for one in collection.status()["groups"] if one["group"] == group]
    return str(found[0] or "") if found else ""


@pytest.mark.long
def test_a_group_beats_once_the_app_streams_and_a_filter_of_its_own_is_in_effect(
    make_collection: Make,
) -> None:
    """A filter is in effect with the first post for it, or 20 s after it was added."""
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-effect", "0")))
    leave_filters(collection, "kittens")
    collection.add_rules("track:0", ["storm"])
    collection.add_rules("track:1", ["flood"])
    collection.start()
    for group in ("track:0", "track:1"):
        collection.wait_log("heartbeat withheld", f"group={group}")
        wait_for(lambda: "filters of others" in why_withheld(collection, group), f"why {group} is silent")  # noqa: B023
        assert not beats(collection, group)

    collection.options["traptor"]["foreign_filters"] = "leave"
    collection.write_ini()
    collection.signal(SIGHUP)
    collection.wait_streaming("v2:app")
    for group in ("track:0", "track:1"):
        wait_for(
            lambda: "X brings new filters into effect about 20 s after" in why_withheld(collection, group),  # noqa: B023
            f"why {group} is silent, though its app streams",
        )
        assert not beats(collection, group)

    make_posts(collection, 1, "flood")
    wait_for(lambda: beats(collection, "track:1"), "it beats: a post came for its filter")
    assert not beats(collection, "track:0"), "its own is not known to be in effect"
    make_posts(collection, 1, "storm")
    wait_for(lambda: beats(collection, "track:0"), "it beats, too")


@pytest.mark.long
def test_a_group_does_not_beat_while_somebody_else_has_the_apps_connection(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), rate_limit_backoff="500ms")
    x = collection.sandbox.v2
    x.fault("zombie", app="app", client_ip="203.0.113.9")
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_log("heartbeat withheld", "group=track:0")
    wait_for(lambda: "held from 203.0.113.9" in why_withheld(collection, "track:0"), "it says why")
    assert not beats(collection, "track:0")

    [zombie] = [one for one in x.connections() if one["zombie"]]
    end_connection(collection, zombie["uuid"])
    collection.wait_streaming("v2:app")
    make_posts(collection, 1, "storm")
    wait_for(lambda: beats(collection, "track:0"), "it beats")
    collection.wait_log("heartbeat is written again", "group=track:0")
