"""Filters of others in the app: named, and nothing streams for them unless the operator says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from signal import SIGHUP

import pytest
from support.collection import Collection, Json, Key
from support.v2 import (
    SANDBOX,
    bill,
    closed_gaps,
    connects,
    filters,
    leave_filters,
    make_posts,
    on_v2,
    wait_filters,
)
from support.waiting import wait_for

Make = Callable[..., Collection]
FORGOTTEN = ("kittens", "puppies", "goslings has:media")
POST_DOLLARS = 0.005


def ids(collection: Collection) -> dict[str, str]:
    """The ids of the filters that are listed now, by value."""
    return {one["value"]: one["id"] for one in collection.sandbox.v2.filters() if one["deleted_at"] is None}


def today(collection: Collection) -> Json:
    [app] = collection.status()["apps"]
    return dict(app["today"])


def decide(collection: Collection, policy: str) -> None:
    """Have the operator decide while it runs."""
    collection.options["traptor"]["foreign_filters"] = policy
    collection.write_ini()
    collection.signal(SIGHUP)


def said(collection: Collection, option: str) -> tuple[int, str]:
    """The exit code of the supervisor's command with this option, and what it prints."""
    assert collection.programs is not None
    done = collection.programs.run(["-m", "traptor.supervisor", "-c", str(collection.ini), option])
    return done.returncode, done.stdout + done.stderr


def causes(collection: Collection) -> list[str]:
    """The causes of the gaps that are over, after that of the start."""
    return [str(gap["cause"]) for gap in closed_gaps(collection) if gap["cause"] != "start"]


@pytest.mark.long
def test_forgotten_filters_keep_the_stream_closed_until_the_operator_decides(make_collection: Make) -> None:
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, "--v2-rate", "0")))
    leave_filters(collection, *FORGOTTEN)
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_log("filters of others stand in the app", *FORGOTTEN)
    wait_for(lambda: "kittens" in (collection.connection("v2:app").get("waits_for") or ""), "it is named")
    [app] = collection.status()["apps"]
    assert (app["hold"], app["filters"]["foreign_first"]) == ("foreign_filters", [*FORGOTTEN])
    code, checked = said(collection, "--check")
    assert code == 1, checked
    _, planned = said(collection, "--plan")
    shown = collection.ctl("status").stdout
    for value in FORGOTTEN:
        assert f"error: v2:app: a filter of others stands there: {value!r}: no connection opens" in checked
        assert f"a filter of others stands there: {value!r}" in planned
        assert repr(value) in shown
    assert connects(collection) == []
    assert filters(collection) == set(FORGOTTEN), "nothing is changed in the app"

    decide(collection, "leave")
    pid = collection.wait_streaming("v2:app")
    assert filters(collection) == {*FORGOTTEN, "storm"}
    make_posts(collection, 20, "kittens")
    wait_for(lambda: today(collection)["foreign"], "a post for others")
    foreign_ids = {one for value, one in ids(collection).items() if value in FORGOTTEN}
    matches = make_posts(collection, 5, "storm")
    foreign = {match["id"] for match in matches if set(match["filters"]) <= foreign_ids}
    assert 0 < len(foreign) < len(matches)
    wait_for(lambda: len(collection.messages("v2:app")) == len(matches), "all are delivered")
    for post in collection.messages("v2:app"):
        added, is_foreign = post["traptor"], post["data"]["id"] in foreign
        assert [rule["rule_id"] for rule in added["collection_rules"]] == ([] if is_foreign else ["storm"])
        assert (added["id_str"], added.get("rule_value")) == (
            (None, "Not Found") if is_foreign else (0, None)
        )
    wait_for(
        lambda: today(collection)["posts"] == len(matches) == bill(collection)["posts"], "all are counted"
    )
    counted = today(collection)
    assert counted["foreign"] == len(foreign), "those for others apart"
    assert counted["foreign_dollars"] == pytest.approx(len(foreign) * POST_DOLLARS)
    assert counted["dollars"] == pytest.approx(len(matches) * POST_DOLLARS)
    assert [one["status"] for one in connects(collection)] == [200], "the stream goes on"
    assert collection.streaming() == pid
    assert causes(collection) == ["foreign_filters"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "left"), [("adopt", {"goslings has:media"}), ("remove", set())], ids=["adopt", "remove"]
)
def test_forgotten_filters_are_deleted_where_the_operator_says_so_and_one_that_is_wanted_is_used(
    make_collection: Make, policy: str, left: set[str]
) -> None:
    """This program could not have written `has:media` after a word: nobody adopts it."""
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX))
    leave_filters(collection, *FORGOTTEN, "storm")
    before = ids(collection)
    collection.add_rules("track:0", ["storm", "flood"])
    collection.start()
    wait_for(lambda: "kittens" in (collection.connection("v2:app").get("waits_for") or ""), "it is named")
    assert filters(collection) == {*FORGOTTEN, "storm"}, "nothing is changed before"

    decide(collection, policy)
    collection.wait_streaming("v2:app")
    assert causes(collection) == ["foreign_filters"]
    wait_filters(collection, "storm", "flood", *left)
    for value in {*FORGOTTEN} - left:
        collection.wait_log("filters of others deleted", before[value], value)
    assert ids(collection)["storm"] == before["storm"], "it was never deleted"
    times = Counter(one["value"] for one in collection.sandbox.v2.filters())
    assert set(times.values()) == {1}, "nothing was added twice"
    wait_for(
        lambda: collection.status()["apps"][0]["filters"]["foreign_first"] == sorted(left), "what is left"
    )
    matches = make_posts(collection, 20, "storm")
    wait_for(lambda: len(collection.messages("v2:app")) == len(matches), "its posts are delivered")
    posts = collection.messages("v2:app")
    assert {rule["value"] for post in posts for rule in post["traptor"]["collection_rules"]} == {"storm"}
    assert [one["status"] for one in connects(collection)] == [200]
