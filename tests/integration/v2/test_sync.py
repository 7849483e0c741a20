"""Filters and rules stay in line, whatever X or a killed master does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from signal import SIGKILL

import pytest
from support.collection import Collection, Json, Key
from support.control import lines, post
from support.v2 import (
    SANDBOX,
    connects,
    credited,
    filters,
    found_for,
    is_collected,
    on_v2,
    post_until_collected,
    posts_for,
    wait_filters,
)
from support.waiting import wait_for
from support.xapi import check_answer, check_request
from support.xgate import Moment, XGate

Make = Callable[..., Collection]

CLOCK_S = 0.5  # between the sandbox's clock and the supervisor's, which are one
TOLD_S = 10.0  # from a post to the ledger: a report, and a look
BOX_OF_2000 = "10,50,11.6,51.5"  # as many characters has its filter


@pytest.mark.parametrize("batches", ["part", "whole"])
def test_bad_values_go_back_to_their_rules_and_the_rest_goes_in(make_collection: Make, batches: str) -> None:
    sandbox = (*SANDBOX, "--v2-batches", batches)
    collection = on_v2(make_collection(Key("app"), sandbox=sandbox), rule_length=2_048)  # X allows 1,024
    collection.add_rules("track:0", {"bad1": "the"})
    collection.start()
    wait_for(lambda: collection.connection("v2:app").get("waits_for"), "no filter, no stream")
    collection.wait_log("rule rejected", "key=traptor-track:0:bad1", "stop word")
    wait_for(
        lambda: collection.connection("v2:app")["waits_for"] == "none of its rules has a filter at X",
        "that is why",
    )
    [listed] = json.loads(collection.ctl("rules", "list", "track:0", "--json").stdout)
    assert listed["state"].startswith("no filter at X: "), "as the supervisor tells, which asked X"
    assert "stop word" in listed["state"]
    large = {"type": "geo", "value": "-180,-90,180,90"}
    _, verdict = post(collection.run_dir / "control.sock", "/api/rules/validate", large)
    assert verdict["valid"], "as a rule"
    assert "about 1,300,000 tiles" in verdict["no_filter"]
    assert connects(collection) == [], "an app without a valid filter is never connected"

    # As a rule `has:media` is a phrase: X gets it in quotes, and takes it.
    good = {f"storm {number}": f"storm {number}" for number in range(47)} | {"has:media": '"has:media"'}
    collection.remove_rules("track:0", ["bad1"])
    collection.add_rules("track:0", [*good, "2" * 2_000])
    collection.add_rules("track:0", {"bad2": "and the"})
    collection.add_rules("locations:0", {"long": BOX_OF_2000})
    collection.hint("track:0")
    collection.hint("locations:0")
    wait_filters(collection, *good.values())
    wait_for(lambda: collection.status()["apps"][0]["rejected"] == 2, "both are shown")
    [app] = collection.status()["apps"]
    assert {one["key"]: one["reason"].endswith("(at position 1)") for one in app["rejected_first"]} == {
        "traptor-track:0:bad2": True,
        "traptor-locations:0:long": True,
    }
    collection.wait_log("rule rejected", "key=traptor-track:0:bad2", "stop word (at position 1)")
    collection.wait_log("rule rejected", "key=traptor-locations:0:long", "this has 2000 (at position 1)")
    collection.wait_log("rule rejected", "key=traptor-track:0:2222", "a phrase has 60 at most")
    collection.wait_streaming("v2:app")
    assert {one["status"] for one in connects(collection)} == {200}
    listed = collection.sandbox.v2.filters()
    assert sorted(one["value"] for one in listed) == sorted(good.values()), "each was added once"


@pytest.mark.long
def test_a_master_killed_at_any_step_of_a_sync_leaves_nothing_twice(make_collection: Make) -> None:
    """X's own record has each planned change once, whether the killed master heard of it or not."""
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.options["supervisor"] = {"rules_check_interval": "10m"}  # of a life, one look
    old, new = ([f"{word} {number}" for number in range(150)] for word in ("storm", "flood"))
    x, gate = collection.sandbox.v2, XGate(collection.sandbox.url)
    collection.options["twitter"]["api_url"] = gate.url
    try:
        collection.add_rules("track:0", old)
        killed_at(collection, gate, 3, Moment.AFTER)  # list, add, add
        assert asked_for_filters(collection) == ["list", "change", "change"]
        collection.remove_rules("track:0", old)
        collection.add_rules("track:0", new)
        killed_at(collection, gate, 1, Moment.BEFORE)
        killed_at(collection, gate, 1, Moment.AFTER)
        for left in range(4, 0, -1):  # add, add, delete, delete
            killed_at(collection, gate, 2, Moment.BEFORE)
            killed_at(collection, gate, 2, Moment.AFTER)
            assert asked_for_filters(collection).count("change") == 2 + 5 - left, "the next one, and once"
    finally:
        gate.close()
    for answer in gate.exchanged:
        if "/rules" in answer.request.path_url:
            check_request(answer.request)
            check_answer(answer)
    assert filters(collection) == set(new)
    collection.options["twitter"]["api_url"] = collection.sandbox.url
    collection.write_ini()
    collection.start()
    collection.wait_streaming("v2:app")
    wait_filters(collection, *new)
    assert asked_for_filters(collection) == [
        *["list", "change", "change"],
        "list",
        *["list", "list", "change"] * 4,
        "list",
    ]
    assert len(x.filters()) == len(old) + len(new), "none was ever added twice"
    assert {one["status"] for one in x.requests() if one["endpoint"] == "rules_change"} <= {200, 201}


def killed_at(collection: Collection, gate: XGate, number: int, moment: Moment) -> None:
    """Start a master that is killed at its request for filters of this number."""
    gate.stop_at(number, moment)
    collection.start()
    gate.wait_stopped()
    collection.signal(SIGKILL)
    assert collection.process is not None
    collection.process.wait()


def asked_for_filters(collection: Collection) -> list[str]:
    """The requests for filters that X got, in order."""
    asked = [one["endpoint"] for one in collection.sandbox.v2.requests()]
    return [one.removeprefix("rules_") for one in asked if one.startswith("rules_")]


@pytest.mark.long
def test_changes_wait_while_x_cannot_change_filters_and_the_stream_goes_on(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.add_rules("track:0", {"kept": "storm", "changed": "rain", "removed": "snow"})
    collection.start()
    before = collection.wait_streaming("v2:app")
    wait_filters(collection, "storm", "rain", "snow")
    x = collection.sandbox.v2
    x.fault("status", endpoint="rules_change", status=500)
    with posts_for(collection, "storm", "rain", "snow"):
        collection.add_rules("track:0", {"added": "flood"})
        collection.hint("track:0")
        collection.wait_log("filters cannot be changed", "500")
        wait_for(lambda: "500" in (collection.status()["apps"][0]["sync"]["trouble"] or ""), "it is shown")
        collection.add_rules("track:0", {"changed": "hail"})
        collection.remove_rules("track:0", ["removed"])
        collection.hint("track:0")
        wait_for(
            lambda: len([one for one in x.requests("rules_change") if one["status"] == 500]) > 1, "once more"
        )
        assert filters(collection) == {"storm", "rain", "snow"}
        x.clear_faults()
        wait_filters(collection, "storm", "flood", "hail")
        collection.wait_log("filters can be changed again")
    refused = [one["at_mono"] for one in x.requests("rules_change") if one["status"] == 500]
    assert all(later - earlier >= 5.0 for earlier, later in pairwise(refused)), "no loop"
    wait_for(lambda: set(credited(collection)) == set(found_for(collection)), "all posts are delivered")
    assert (collection.streaming(), len(connects(collection))) == (before, 1)


def test_filters_that_vanish_under_a_stream_are_put_back_under_it_and_booked(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    collection.options["supervisor"] = {"rules_check_interval": "1s"}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    before = collection.wait_streaming("v2:app")
    x = collection.sandbox.v2
    post_until_collected(collection, "storm")
    x.forget_filters()
    wait_filters(collection, "storm")
    wait_for(lambda: kinds(collection, "storm")[-1] == "uncarried", "the ledger books it")
    assert not is_collected(collection, "storm")
    post_until_collected(collection, "storm")
    wait_for(lambda: kinds(collection, "storm")[-2:] == ["uncarried", "streaming"], "until it is in effect")
    old, new = x.filters()
    away = intervals(collection, "storm")[-2]
    assert old["deleted_at"] <= away["from_unix"]
    assert away["to_unix"] >= new["in_effect_at"]
    assert collection.streaming() == before
    assert [one["status"] for one in connects(collection)] == [200]


@pytest.mark.long
def test_a_changed_value_is_credited_to_what_its_filter_stood_for(make_collection: Make) -> None:
    """Posts for old and new values come all the time; each finds the rule as it was or is.

    A rule that is new has a gap until its filter is in effect: by the first post, long before the 20 s after
    which it is taken to be.
    """
    collection = on_v2(make_collection(Key("app"), sandbox=("--v2-effect", "3", "--v2-keep-alive", "1")))
    collection.add_rules("track:0", {"storm": "storm", "flood": "flood"})
    collection.start()
    collection.wait_streaming("v2:app")
    x = collection.sandbox.v2
    post_until_collected(collection, "storm", "flood")
    with posts_for(collection, "storm", "hail", "sleet"):
        written_at = time.time()
        collection.add_rules("track:0", {"storm": "hail", "sleet": "sleet"})
        collection.hint("track:0")
        wait_filters(collection, "hail", "flood", "sleet")
        # X takes a while: until then posts come for the old value, and are credited to the rule as it was.
        wait_for(lambda: gone(collection, "storm"), "the old filter finds nothing any more")
        wait_for(
            lambda: list(credited(collection).values()).count(["hail"]) > 10, "posts for the new value come"
        )
    wait_for(lambda: set(credited(collection)) == set(found_for(collection)), "all are delivered")
    assert credited(collection) == found_for(collection)
    assert not any("rule_value" in post["traptor"] for post in collection.messages("v2:app")), "Not Found"
    old, new = (next(one for one in x.filters() if one["value"] == value) for value in ("storm", "hail"))
    found_at = {
        one["id"]: [match["at"] for match in x.matches() if one["id"] in match["filters"]]
        for one in (old, new)
    }
    assert any(at > new["added_at"] for at in found_at[old["id"]]), "of the old value, after the change"
    assert len(found_at[new["id"]]) > 10
    for rule in ("storm", "sleet"):
        wait_for(lambda: kinds(collection, rule)[-2:] == ["uncarried", "streaming"], "the ledger books it")  # noqa: B023

    [gap] = gaps_of(collection, "sleet")
    [added] = [one for one in x.filters() if one["value"] == "sleet"]
    assert written_at - CLOCK_S <= gap["from_unix"] <= added["added_at"] + CLOCK_S
    assert added["in_effect_at"] - CLOCK_S <= gap["to_unix"] <= first_came_at(collection, "sleet") + TOLD_S


def gone(collection: Collection, value: str) -> bool:
    """Tell whether a filter that was deleted is out of effect."""
    [one] = [one for one in collection.sandbox.v2.filters() if one["value"] == value]
    return one["gone_at"] is not None and one["gone_at"] < time.time()


def intervals(collection: Collection, rule: str) -> list[Json]:
    """What the ledger knows of a rule, in order."""
    return lines(collection.run_dir / "control.sock", "intervals", rule=rule)


def gaps_of(collection: Collection, rule: str) -> list[Json]:
    """What `traptorctl gaps` tells of a rule."""
    told = collection.ctl("gaps", "--rule", rule, "--json")
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def first_came_at(collection: Collection, rule: str) -> float:
    """When the worker received the first post that was credited to a rule."""
    posts = [post["traptor"] for post in collection.messages("v2:app")]
    came = [one["collection"]["received_at"] for one in posts if is_credited(one, rule)]
    return min(datetime.fromisoformat(at).timestamp() for at in came)


def is_credited(added: Json, rule: str) -> bool:
    return rule in [one["rule_id"] for one in added["collection_rules"]]


def kinds(collection: Collection, rule: str) -> list[str]:
    return [str(one["kind"]) for one in intervals(collection, rule)]
