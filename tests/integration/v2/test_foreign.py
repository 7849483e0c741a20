"""Filters of others in the app: named, and nothing streams for them unless the operator says so."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGHUP

import requests
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, connects, filters, on_v2
from support.waiting import DEADLINE_S, wait_for

Make = Callable[..., Collection]
FORGOTTEN = ("kittens", "puppies", "goslings has:media")


def forget_filters_in(collection: Collection, *values: str) -> None:
    """Leave filters in the only app, as somebody did long ago."""
    url, key = collection.sandbox.url, collection.keys[0].account()
    token = requests.post(
        f"{url}/oauth2/token",
        auth=(key["consumer_key"], key["consumer_secret"]),
        data={"grant_type": "client_credentials"},
        timeout=DEADLINE_S,
    ).json()["access_token"]
    requests.post(
        f"{url}/2/tweets/search/stream/rules",
        headers={"Authorization": f"Bearer {token}"},
        json={"add": [{"value": value} for value in values]},
        timeout=DEADLINE_S,
    ).raise_for_status()


def today(collection: Collection) -> Json:
    [app] = collection.status()["apps"]
    return dict(app["today"])


def test_forgotten_filters_keep_the_stream_closed_until_the_operator_decides(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    forget_filters_in(collection, *FORGOTTEN)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_log("filters of others stand in the app", "kittens")
    wait_for(lambda: "kittens" in (collection.connection("v2:app").get("waits_for") or ""), "it is named")
    [app] = collection.status()["apps"]
    assert (app["hold"], app["filters"]["foreign_first"]) == ("foreign_filters", [*FORGOTTEN])
    assert connects(collection) == []
    assert filters(collection) == set(FORGOTTEN), "nothing is changed in the app"

    collection.options["traptor"]["foreign_filters"] = "leave"
    collection.write_ini()
    collection.signal(SIGHUP)
    collection.wait_streaming("v2:app")
    assert filters(collection) == {*FORGOTTEN, "storm"}
    collection.sandbox.burst(20, [{"type": "track", "value": "kittens"}])
    [bill] = collection.sandbox.v2.bill()
    foreign = bill["posts"]
    collection.sandbox.burst(5, [{"type": "track", "value": "storm"}])
    [bill] = collection.sandbox.v2.bill()
    assert 0 < foreign < bill["posts"]
    wait_for(lambda: len(collection.messages("v2:app")) == bill["posts"], "all are delivered")
    wait_for(lambda: today(collection)["posts"] == bill["posts"], "all are counted")
    wait_for(lambda: today(collection)["foreign"] == foreign, "those for others apart")
    assert collection.gaps("v2:app")[0]["cause"] in ("foreign_filters", "start")
