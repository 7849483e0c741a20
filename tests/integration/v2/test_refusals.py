"""What X refuses is told apart: money, missing filters, its own errors, streams that it closes at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from support.collection import Collection, Key
from support.v2 import SANDBOX, connects, filters, on_v2, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]


def statuses(collection: Collection) -> list[int]:
    return [one["status"] for one in connects(collection)]


def started(make_collection: Make, **twitter: object) -> Collection:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), **twitter)
    collection.add_rules("track:0", ["storm"])
    return collection


def test_an_app_without_credit_is_asked_again_after_a_while_and_not_before(make_collection: Make) -> None:
    collection = started(make_collection, credit_retry="2s")
    collection.start()
    collection.wait_streaming("v2:app")
    v2 = collection.sandbox.v2
    for number, problem in enumerate(("credits", "credits-depleted", "usage-capped"), start=1):
        v2.fault("status", app="app", endpoint="stream", problem=problem, times=1)
        v2.fault("close", app="app")
        collection.wait_log("gap connection=v2:app cause=server_close")
        wait_for(lambda: collection.key("app")["state"] == "OUT_OF_CREDIT", "the key says so")
        wait_for(lambda n=number: len(connects(collection)) == 1 + 2 * n, "it is asked again")
        collection.wait_streaming("v2:app")
    assert statuses(collection) == [200, 402, 200, 402, 200, 429, 200]
    tried = [one["at_mono"] for one in connects(collection)]
    assert all(later - earlier >= 2.0 for earlier, later in zip(tried[1::2], tried[2::2], strict=True))
    assert [gap["cause"] for gap in collection.gaps("v2:app")].count("cost") == 3


def test_the_reset_of_the_connects_does_not_end_the_wait_for_credit(make_collection: Make) -> None:
    """Every answer of X tells when its requests count anew, within 15 minutes; the retry is in 30."""
    sandbox = (*SANDBOX, "--v2-window", "2")
    collection = on_v2(make_collection(Key("app"), sandbox=sandbox), credit_retry="6s")
    collection.add_rules("track:0", ["storm"])
    v2 = collection.sandbox.v2
    v2.fault("status", app="app", endpoint="stream", problem="credits", times=1)
    v2.fault("status", app="app", endpoint="stream", problem="usage-capped", times=1)
    collection.start()
    collection.wait_streaming("v2:app")
    tried = [one["at_mono"] for one in connects(collection)]
    assert len(tried) == 3
    assert all(later - earlier >= 6.0 for earlier, later in itertools.pairwise(tried))


def test_missing_filters_are_put_back_and_the_stream_opens_at_once(make_collection: Make) -> None:
    collection = started(make_collection, http_backoff="100s")
    collection.options["supervisor"] = {"rules_check_interval": "10m"}
    collection.start()
    before = collection.wait_streaming("v2:app")
    collection.sandbox.v2.forget_filters("app")
    collection.sandbox.v2.fault("close", app="app")
    wait_for(lambda: statuses(collection) == [200, 409, 200], f"409, then 200; not {statuses(collection)}")
    wait_filters(collection, "storm")
    assert collection.wait_streaming("v2:app") == before, "the same worker"


def test_filters_that_vanish_under_a_stream_are_put_back_under_it(make_collection: Make) -> None:
    collection = started(make_collection)
    collection.options["supervisor"] = {"rules_check_interval": "1s"}
    collection.start()
    before = collection.wait_streaming("v2:app")
    collection.sandbox.v2.forget_filters("app")
    wait_filters(collection, "storm")
    assert (collection.streaming(), statuses(collection)) == (before, [200])


def check_retried_at_once_and_then_after_growing_waits(collection: Collection, why: str) -> None:
    collection.start()
    wait_for(
        lambda: why in (collection.connection("v2:app").get("waits_for") or ""),
        "the status says why",
    )
    wait_for(lambda: len(connects(collection)) >= 4, "it is tried again")
    first, second, third, fourth = [one["at_mono"] for one in connects(collection)][:4]
    assert second - first < third - second < fourth - third
    assert third - second >= 2.0
    assert fourth - third >= 4.0


def test_a_stream_that_x_closes_at_once_is_retried_at_once_and_then_after_growing_waits(
    make_collection: Make,
) -> None:
    collection = started(make_collection, http_backoff="2s")
    collection.sandbox.v2.fault("close_after", app="app", after=0.0, times=4)
    check_retried_at_once_and_then_after_growing_waits(collection, "closed soon after the 200")


def test_a_stream_that_is_reset_at_once_is_retried_at_the_pace_of_one_that_x_closes(
    make_collection: Make,
) -> None:
    collection = started(make_collection, http_backoff="2s")
    collection.sandbox.v2.fault("reset", app="app", on="connects", after=0.1, times=4)
    check_retried_at_once_and_then_after_growing_waits(collection, "broke soon after the 200")
    assert {gap["cause"] for gap in collection.gaps("v2:app")} <= {"start", "network"}


def test_errors_of_the_rules_endpoint_leave_the_stream_alone(make_collection: Make) -> None:
    collection = started(make_collection)
    collection.start()
    before = collection.wait_streaming("v2:app")
    collection.sandbox.v2.fault("status", app="app", endpoint="rules_change", status=500)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_log("filters cannot be changed", "500")
    assert filters(collection) == {"storm"}
    collection.sandbox.v2.clear_faults()
    wait_filters(collection, "storm", "flood")
    assert (collection.streaming(), statuses(collection)) == (before, [200])


def test_connects_keep_to_the_smaller_limit_that_x_announces(make_collection: Make) -> None:
    collection = started(make_collection)
    headers = {"x-rate-limit-limit": "1", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "1"}
    collection.sandbox.v2.fault("headers", app="app", endpoint="stream", headers=headers)
    collection.start()
    collection.wait_streaming("v2:app")
    collection.sandbox.v2.fault("close", app="app")
    waits = wait_for(
        lambda: (
            (text := collection.connection("v2:app").get("waits_for")) and "1 of 1 connects" in text and text
        ),
        "its connects are spent, by X's limit",
    )
    assert waits == "1 of 1 connects in 900 s are used"
    assert statuses(collection) == [200]


def test_errors_of_the_stream_are_waited_out_with_one_line_at_each_end(make_collection: Make) -> None:
    collection = started(make_collection, http_backoff="3s")
    collection.sandbox.v2.fault("status", app="app", endpoint="stream", status=503, times=2)
    collection.start()
    wait_for(lambda: statuses(collection) == [503, 503, 200], "503, 503, 200")
    first, second, third = [one["at_mono"] for one in connects(collection)]
    assert second - first >= 3.0
    assert third - second >= 6.0
    collection.wait_log("rules no longer wait", "v2:app")
    lines = collection.log().splitlines()
    assert sum(" rules are not collected " in line for line in lines) == 1
    assert sum(" rules no longer wait " in line for line in lines) == 1
