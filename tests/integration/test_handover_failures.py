"""What a handover that fails leaves behind: nothing but the old generation and its own key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from support.collection import Collection, Key
from support.waiting import wait_for

Make = Callable[..., Collection]


def _start(make: Make, *keys: Key, handover: str, **options: object) -> Collection:
    collection = make(*keys)
    collection.options = {"supervisor": {"handover": handover, **options}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    return collection


def _streamed(collection: Collection) -> list[list[str]]:
    """The phrases of each connection that the server accepted, in order."""
    return [sorted(c["values"]["track"]) for c in collection.sandbox.connections()]


def test_in_serial_the_old_generation_returns_before_the_next_try(make_collection: Make) -> None:
    collection = _start(make_collection, Key("k1"), handover="serial")
    collection.sandbox.fault("status", status=503, times=1)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    wait_for(lambda: len(_streamed(collection)) == 3, "the refresh is tried again, and works")
    assert _streamed(collection) == [["storm"], ["storm"], ["flood", "storm"]]


def test_a_server_that_refuses_the_new_rules_for_good_keeps_the_old_ones(make_collection: Make) -> None:
    """Until they change, or refused_retry is over, nothing is tried again."""
    collection = _start(make_collection, Key("k1"), handover="serial")
    pid = collection.wait_streaming("track:0")["track:0"]
    collection.sandbox.fault("status", status=406, times=1)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_log("the server refuses the rules", "stays=true")
    wait_for(lambda: _streamed(collection) == [["storm"], ["storm"]], "the old one streams again")
    assert collection.wait_streaming("track:0")["track:0"] == pid


def test_a_secret_that_is_wrong_before_and_after_costs_its_own_key_only(make_collection: Make) -> None:
    keys = [Key(f"k{number}") for number in range(1, 5)]
    collection = _start(make_collection, *keys, handover="serial")
    own = collection.connection("track:0")["serving"]["key"]
    changed = [replace(key, consumer_secret="SECRET-new") if key.name == own else key for key in keys]
    right = [replace(key, consumer_secret="SECRET-right") if key.name == own else key for key in keys]
    collection.sandbox.set_accounts([key.account() for key in right])
    collection.keys = changed
    collection.write_ini()
    wait_for(lambda: collection.key(own).get("state") == "QUARANTINED", "the wrong key is quarantined")
    collection.wait_streaming("track:0")
    assert collection.connection("track:0")["serving"]["key"] != own
    states = {key["key"]: key["state"] for key in collection.status()["keys"]}
    assert {name for name, state in states.items() if state == "QUARANTINED"} == {own}


def test_a_key_that_goes_and_returns_during_an_overlap_leaves_no_stuck_connection(
    make_collection: Make,
) -> None:
    collection = _start(make_collection, Key("k1"), handover="overlap")
    collection.sandbox.fault("slow_start", after=60, seconds=60)
    collection.hint("track:0")
    wait_for(
        lambda: (collection.connection("track:0")["successor"] or {}).get("state") == "CONNECTING",
        "the successor connects",
    )
    collection.sandbox.fault("close", times=1)
    collection.wait_log("stream ended", "kind=server_close")
    other = Key("other", consumer_secret="SECRET-unknown")
    collection.keys = [other]
    collection.write_ini()
    collection.wait_log("reloaded")
    collection.sandbox.clear_faults()
    collection.keys = [Key("k1")]
    collection.write_ini()
    collection.wait_streaming("track:0")
    status = collection.connection("track:0")
    assert status["state"] == "UP"


def test_a_limit_that_is_lowered_below_a_running_rule_rejects_the_rule(make_collection: Make) -> None:
    collection = make_collection(Key("k1"))
    collection.add_rules("track:0", {"many": "one,two,three", "few": "storm"})
    collection.start()
    collection.wait_streaming("track:0")
    collection.options = {"twitter": {"track_limit": 2}}
    collection.write_ini()
    collection.wait_log("rule rejected", "traptor-track:0:many")
    wait_for(lambda: _streamed(collection)[-1] == ["storm"], "only the rule that fits streams")
    assert collection.process is not None
    assert collection.process.poll() is None


@pytest.mark.long
def test_a_serial_refresh_that_is_paced_keeps_its_stream_until_it_may_connect(make_collection: Make) -> None:
    """Three hinted at once, one connect in four seconds: those that wait still stream."""
    keys = [Key(f"k{number}") for number in range(3)]
    collection = make_collection(*keys)
    collection.options = {"supervisor": {"handover": "serial"}, "twitter": {"connect_rate": 100}}
    names = [f"track:{number}" for number in range(3)]
    for name in names:
        collection.add_rules(name, [f"storm{name[-1]}"])
    collection.start()
    collection.wait_streaming(*names)
    collection.options["twitter"]["connect_rate"] = 0.25
    collection.write_ini()
    collection.wait_log("reloaded")
    for name in names:
        collection.hint(name)
    waiting = wait_for(
        lambda: [c for c in collection.status()["connections"] if "paced" in (c["waits_for"] or "")],
        "a refresh waits for the pace",
    )
    assert {c["serving"]["state"] for c in waiting} == {"STREAMING"}
    wait_for(lambda: collection.log().count(" refreshed ") == 3, "all are refreshed")
    streams = collection.sandbox.connections()
    assert len(streams) == 6
    gaps = [gap["cause"] for name in names for gap in collection.gaps(name)]
    assert sorted(gaps) == ["refresh"] * 3 + ["start"] * 3
    # Who comes later gives up the old stream only after the one before has the new one.
    old, new = streams[:3], streams[3:]
    left = sorted(one["closed_mono"] for one in old)
    assert all(one["opened_mono"] < closed for one, closed in zip(new, left[1:], strict=False))
