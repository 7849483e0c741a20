"""Filters and rules stay in line, whatever X or a killed master does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import SIGKILL
from threading import Event, Thread

import pytest
from support.collection import Collection, Json, Key
from support.control import lines
from support.v2 import SANDBOX, connects, filters, on_v2, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]


@pytest.mark.parametrize("batches", ["part", "whole"])
def test_bad_values_go_back_to_their_rules_and_the_rest_goes_in(make_collection: Make, batches: str) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-batches", batches)))
    collection.add_rules("track:0", {"bad1": "the"})
    collection.start()
    wait_for(lambda: collection.connection("v2:app").get("waits_for"), "no filter, no stream")
    collection.wait_log("rule rejected", "key=traptor-track:0:bad1", "stop word")
    wait_for(
        lambda: collection.connection("v2:app")["waits_for"] == "none of its rules has a filter at X",
        "that is why",
    )
    assert connects(collection) == [], "an app without a valid filter is never connected"

    good = [f"storm {number}" for number in range(48)]
    collection.add_rules("track:0", [*good, "2" * 2_000])
    collection.add_rules("track:0", {"bad2": "and the"})
    collection.hint("track:0")
    collection.wait_streaming("v2:app")
    wait_filters(collection, *good)
    collection.wait_log("rule rejected", "key=traptor-track:0:bad2", "at position")
    collection.wait_log("rule rejected", "key=traptor-track:0:2222", "Twitter allows 60")
    wait_for(lambda: collection.status()["apps"][0]["rejected"] == 2, "both are shown")
    assert 409 not in {one["status"] for one in connects(collection)}


def test_a_master_killed_inside_a_sync_leaves_nothing_twice(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    values = [f"storm {number}" for number in range(450)]
    collection.add_rules("track:0", values)
    x = collection.sandbox.v2
    for most in (0, 100, 300):  # killed before the first, the second and the fourth request of the load
        x.fault("slow_start", endpoint="rules_change", after=2, times=most // 100 + 1)
        collection.start()
        wait_for(lambda most=most: len(filters(collection)) > most, "some of the filters are there")
        collection.signal(SIGKILL)
        assert collection.process is not None
        collection.process.wait()
        x.clear_faults()
    collection.start()
    collection.wait_streaming("v2:app")
    wait_filters(collection, *values)
    assert len(x.filters()) == len(values), "none was ever added twice, or deleted"


def test_changes_wait_while_x_cannot_change_filters_and_the_stream_goes_on(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    before = collection.wait_streaming("v2:app")
    x = collection.sandbox.v2
    x.fault("status", endpoint="rules_change", status=500)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_log("filters cannot be changed", "500")
    wait_for(lambda: "500" in (collection.status()["apps"][0]["sync"]["trouble"] or ""), "the status says so")
    collection.sandbox.burst(10, [{"type": "track", "value": "storm"}])
    wait_for(lambda: collection.messages("v2:app"), "posts come")
    x.clear_faults()
    wait_filters(collection, "storm", "flood")
    collection.wait_log("filters can be changed again")
    assert collection.streaming() == before
    assert len(connects(collection)) == 1


@pytest.mark.long
def test_filters_that_vanish_at_x_are_put_back_and_booked(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", ["storm"])
    collection.start()
    before = collection.wait_streaming("v2:app")
    wait_for(lambda: in_effect(collection) == 1, "it is in effect")
    collection.sandbox.v2.forget_filters()
    wait_for(lambda: len(collection.sandbox.v2.filters()) == 2, "the next look puts it back")
    wait_for(lambda: "uncarried" in kinds(collection, "storm"), "the ledger books it")
    assert collection.streaming() == before


@pytest.mark.long
def test_a_changed_value_is_credited_to_what_its_filter_stood_for(make_collection: Make) -> None:
    """Posts for the old and the new value come all the time; each finds the rule as it was or is."""
    collection = on_v2(make_collection(Key("app"), sandbox=("--v2-effect", "3", "--v2-keep-alive", "1")))
    collection.add_rules("track:0", {"changing": "storm", "other": "flood"})
    collection.start()
    collection.wait_streaming("v2:app")
    wait_for(lambda: in_effect(collection) == 2, "both are in effect")
    with posts_for(collection, "storm", "hail"):
        wait_for(lambda: collection.messages("v2:app"), "posts for the old value come")
        collection.add_rules("track:0", {"changing": "hail"})
        collection.hint("track:0")
        wait_filters(collection, "hail", "flood")
        # X takes a while: until then posts come for the old value, and are credited to the rule as it was.
        wait_for(lambda: ["hail"] in credited(collection).values(), "posts for the new value come")
        wait_for(lambda: in_effect(collection) == 2, "it is taken to be in effect")
    wait_for(lambda: set(credited(collection)) == set(found_for(collection)), "all are delivered")
    assert credited(collection) == found_for(collection)
    assert {value for values in credited(collection).values() for value in values} == {"storm", "hail"}
    assert kinds(collection, "changing")[-1] == "streaming"
    assert "uncarried" in kinds(collection, "changing")


def credited(collection: Collection) -> dict[str, list[str]]:
    """The values of the rules that each post was credited to."""
    return {
        message["data"]["id"]: sorted(rule["value"] for rule in message["traptor"]["collection_rules"])
        for message in collection.messages("v2:app")
    }


def found_for(collection: Collection) -> dict[str, list[str]]:
    """The values of the filters that found each post, by X's own record."""
    x = collection.sandbox.v2
    values = {one["id"]: one["value"] for one in x.filters()}
    return {match["id"]: sorted(values[key] for key in match["filters"]) for match in x.matches()}


def in_effect(collection: Collection) -> int:
    return sum(int(app["rules_in_effect"]) for app in collection.status().get("apps", []))


def kinds(collection: Collection, rule: str) -> list[str]:
    """What the ledger knows of a rule, in order."""
    found: list[Json] = lines(collection.run_dir / "control.sock", "intervals", rule=rule)
    return [str(one["kind"]) for one in found]


@contextmanager
def posts_for(collection: Collection, *values: str) -> Iterator[None]:
    """Make a post for each value every 100 ms."""
    done = Event()

    def posting() -> None:
        while not done.is_set():
            collection.sandbox.burst(len(values), [{"type": "track", "value": value} for value in values])
            time.sleep(0.1)

    thread = Thread(target=posting)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
