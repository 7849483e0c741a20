"""Streams end in every way; the next one opens only once the old socket is closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from statistics import median

import pytest
from support.collection import Collection, Json, Key
from support.control import lines
from support.v2 import SANDBOX, connects, make_posts, on_v2, strike
from support.waiting import wait_for

from traptor.sandbox.v2.faults.kinds import DISCONNECT_TYPES

Make = Callable[..., Collection]

WAITED_S = 100.0  # by whatever a test shows not to be waited for


def opened(collection: Collection) -> list[Json]:
    return collection.sandbox.v2.connections()


def started(collection: Collection, **twitter: object) -> Collection:
    on_v2(collection, **twitter)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("v2:app")
    return collection


def gaps(collection: Collection, cause: str) -> list[Json]:
    """What the ledger has of a cause, once there is some."""
    path = collection.run_dir / "control.sock"
    return wait_for(
        lambda: [one for one in lines(path, "gaps", connection="v2:app") if one["cause"] == cause],
        f"a gap of the cause {cause}",
    )


@pytest.mark.long
def test_no_close_and_no_stall_ever_leads_to_two_connections(make_collection: Make) -> None:
    sandbox = (*SANDBOX, "--v2-keep-alive", "0.15")
    waits = {"http_backoff": "100ms", "http_backoff_max": "100ms", "network_backoff_max": "250ms"}
    collection = started(make_collection(Key("app"), sandbox=sandbox), stall_timeout="600ms", **waits)
    for fault in [*["close", "stall"] * 20, "reset", "half_open"]:
        before = len(opened(collection))
        strike(collection, fault)
        wait_for(lambda: len(opened(collection)) > before, f"a stream opens after {fault}")  # noqa: B023
    asked, streams = connects(collection), opened(collection)
    assert len(streams) > 42
    assert {one["status"] for one in asked} == {200}, "no 429 of our own making"
    assert [one["connection"] for one in asked] == [one["id"] for one in streams]
    assert [one["reason"] for one in streams].count("close") == 20
    assert [one["closed_by"] for one in streams].count("client") >= 20, "a stalled one is closed by us"
    for earlier, request in zip(streams, asked[1:], strict=False):
        assert earlier["closed_mono"] <= request["at_mono"], "its socket is closed before the next GET"
    assert collection.sandbox.v2.requests("connections_kill") == []


@pytest.mark.long
def test_a_half_open_stream_is_given_up_after_30_s_and_its_gap_begins_with_its_last_byte(
    make_collection: Make,
) -> None:
    """No option of the stall is set, and no keep-alive comes: the post is the last byte."""
    sandbox = (*SANDBOX, "--v2-keep-alive", "25")
    collection = started(make_collection(Key("app"), sandbox=sandbox))
    x = collection.sandbox
    matches = make_posts(collection, 1, "storm")
    wait_for(lambda: len(collection.messages("v2:app")) == len(matches), "the last post")
    *_, post = (one for one in x.tweets() if one["written_mono"])
    strike(collection, "half_open")
    wait_for(lambda: len(connects(collection)) == 2, "it is opened again")
    silence_s = connects(collection)[1]["at_mono"] - post["written_mono"][-1]
    assert silence_s >= 25.0, "not given up before"
    assert silence_s <= 40.0, "30 s, and what a busy machine adds"
    [gap] = gaps(collection, "stall")
    began_after_s = datetime.fromisoformat(gap["from"]).timestamp() - post["made_at"]
    assert -0.1 <= began_after_s <= 5.0, "it begins with the last byte, not with the end of the wait"
    assert gap["seconds"] >= 25.0, "the silence belongs to it"


@pytest.mark.long
def test_each_announced_disconnect_is_left_within_a_second_and_its_gap_names_the_type(
    make_collection: Make,
) -> None:
    """An app for each type, since only the first early end of a stream is followed by a connect at once."""
    kinds = {f"app{number}": kind for number, kind in enumerate([*DISCONNECT_TYPES, "SomethingNew"])}
    keys = [Key(app, groups=f"track:{number}") for number, app in enumerate(kinds)]
    waits = dict.fromkeys(("stall_timeout", "http_backoff"), f"{WAITED_S:g}s")
    collection = on_v2(make_collection(*keys, sandbox=SANDBOX), **waits, network_backoff_max=f"{WAITED_S:g}s")
    collection.options["traptor"]["groups"] = ", ".join(str(key.groups) for key in keys)
    for key in keys:
        collection.add_rules(str(key.groups), ["storm"])
    collection.start()
    collection.wait_streaming(*(f"v2:{app}" for app in kinds))
    x = collection.sandbox.v2
    took_s: list[float] = []
    for app, kind in kinds.items():
        strike(collection, "disconnect", app=app, disconnect_type=kind, then="silence")
        line = collection.wait_log(f"gap connection=v2:{app} ", f"why={kind}")
        assert " cause=server_close " in line
        left, again = [one for one in opened(collection) if one["app"] == app]
        assert (left["reason"], again["closed_at"]) == (kind, None)
        [_, request] = [one for one in x.requests("stream") if one["app"] == app]
        took_s.append(request["at_mono"] - left["closed_mono"])
    assert median(took_s) <= 1.0
    assert max(took_s) <= 4.0, "on a machine that others keep busy"


def test_a_disconnect_that_x_announces_and_carries_out_is_named_too(make_collection: Make) -> None:
    collection = started(make_collection(Key("app"), sandbox=SANDBOX), http_backoff="100ms")
    for number, kind in enumerate(("UpstreamOperationalDisconnect", "SomethingNew"), start=2):
        strike(collection, "disconnect", disconnect_type=kind, then="close")
        wait_for(lambda: len(opened(collection)) == number, f"stream {number} opens after {kind}")  # noqa: B023
        collection.wait_log("gap connection=v2:app", f"why={kind}")
