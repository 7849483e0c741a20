"""Streams end in every way; the next one opens only once the old socket is closed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from support.collection import Collection, Json, Key
from support.v2 import SANDBOX, connects, on_v2
from support.waiting import wait_for

Make = Callable[..., Collection]


def opened(collection: Collection) -> list[Json]:
    return collection.sandbox.v2.connections()


def started(make_collection: Make, **twitter: object) -> Collection:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), http_backoff="100ms", **twitter)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("v2:app")
    return collection


def test_closes_and_stalls_never_lead_to_two_connections(make_collection: Make) -> None:
    collection = started(make_collection, stall_timeout="3s")
    for number, fault in enumerate(
        ("close", "stall", "close", "close", "reset", "half_open", "close"), start=2
    ):
        wait_for(lambda: collection.sandbox.v2.fault(fault, app="app")["struck"], f"{fault} strikes a stream")  # noqa: B023
        wait_for(lambda: len(opened(collection)) == number, f"stream {number} opens after {fault}")  # noqa: B023
    assert {one["status"] for one in connects(collection)} == {200}, "no 429 of our own making"
    streams = opened(collection)
    for earlier, later in pairwise(streams):
        assert earlier["closed_mono"] <= later["opened_mono"], "one socket at a time"


def test_a_silent_stream_is_given_up_and_its_gap_begins_with_its_last_byte(make_collection: Make) -> None:
    collection = started(make_collection, stall_timeout="4s")
    collection.sandbox.v2.fault("half_open", app="app")
    wait_for(lambda: len(opened(collection)) == 2, "it is opened again")
    collection.wait_log("gap connection=v2:app cause=stall")
    [gap] = [gap for gap in collection.gaps("v2:app") if gap["cause"] == "stall"]
    assert float(gap["seconds"]) >= 3.9, "the silence belongs to it"


@pytest.mark.parametrize("then", ["close", "silence"])
def test_an_operational_disconnect_is_left_at_once_and_its_gap_names_the_type(
    make_collection: Make, then: str
) -> None:
    collection = started(make_collection, stall_timeout="100s")
    for number, kind in enumerate(("UpstreamOperationalDisconnect", "SomethingNew"), start=2):
        fault = {"app": "app", "disconnect_type": kind, "then": then}
        wait_for(lambda: collection.sandbox.v2.fault("disconnect", **fault)["struck"], "a stream is struck")  # noqa: B023
        wait_for(lambda: len(opened(collection)) == number, f"stream {number} opens after {kind}")  # noqa: B023
        collection.wait_log("gap connection=v2:app", f"why={kind}")
