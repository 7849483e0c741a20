"""What X refuses is told apart: money, missing filters, its own errors, streams that it closes at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from support.collection import Collection, Key
from support.v2 import SANDBOX, connects, on_v2, wait_filters
from support.waiting import wait_for

Make = Callable[..., Collection]


def statuses(collection: Collection) -> list[int]:
    return [one["status"] for one in connects(collection)]


def started(make_collection: Make, **twitter: object) -> Collection:
    collection = on_v2(make_collection(Key("app"), sandbox=SANDBOX), **twitter)
    collection.add_rules("track:0", ["storm"])
    return collection


def test_missing_filters_are_put_back_and_the_stream_opens_at_once(make_collection: Make) -> None:
    collection = started(make_collection, http_backoff="100s")
    collection.options["supervisor"] = {"rules_check_interval": "10m"}
    collection.start()
    before = collection.wait_streaming("v2:app")
    collection.sandbox.v2.forget_filters("app")
    collection.sandbox.v2.fault("close", app="app")
    wait_for(lambda: statuses(collection) == [200, 409, 200], f"409, then 200; not {statuses(collection)}")
    wait_filters(collection, "storm")
    others = ("usage", "connections_list")  # for their own reasons, at any time
    requests = collection.sandbox.v2.requests()
    asked = [one["endpoint"] for one in requests if one["endpoint"] not in others]
    refused = asked.index("stream", asked.index("stream") + 1)
    assert asked[refused:] == ["stream", "rules_list", "rules_change", "stream"]
    assert collection.wait_streaming("v2:app") == before, "the same worker"


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


@pytest.mark.long
def test_a_stream_that_x_closes_at_once_is_retried_at_once_and_then_after_growing_waits(
    make_collection: Make,
) -> None:
    collection = started(make_collection, http_backoff="2s")
    collection.sandbox.v2.fault("close_after", app="app", after=0.0, times=4)
    check_retried_at_once_and_then_after_growing_waits(collection, "closed soon after the 200")


@pytest.mark.long
def test_thirty_closes_at_once_in_a_row_never_pass_what_x_allows(make_collection: Make) -> None:
    """All times are 1/400 of the usual ones, X's window and ours too."""
    scale = 1 / 400
    window_s, first_s, most_s = 900 * scale, 5 * scale, 320 * scale
    x_options = ("--v2-connects", "50", "--v2-window", f"{window_s:g}")
    waits = {"http_backoff": f"{first_s * 1000:g}ms", "http_backoff_max": f"{most_s * 1000:g}ms"}
    budget = {"connects": 50, "connects_window": f"{window_s:g}s", "connect_rate": 1000}
    collection = on_v2(make_collection(Key("app"), sandbox=(*SANDBOX, *x_options)), **waits, **budget)
    collection.add_rules("track:0", ["storm"])
    collection.sandbox.v2.fault("close_after", app="app", after=0.0, times=30)
    collection.start()
    wait_for(
        lambda: "closed soon after the 200" in (collection.connection("v2:app").get("waits_for") or ""),
        "the status says why",
    )
    wait_for(lambda: len(connects(collection)) > 30, "it streams in the end")
    collection.wait_streaming("v2:app")
    assert set(statuses(collection)) == {200}
    tried = [one["at_mono"] for one in connects(collection)]
    assert len(tried) == 31
    waited = [later - earlier for earlier, later in pairwise(tried)]
    steps = [0.0, *(min(first_s * 2**step, most_s) for step in range(29))]
    assert all(wait >= step for wait, step in zip(waited, steps, strict=True)), waited
    assert most_within(tried, 60 * scale) <= 12
    assert most_within(tried, window_s) <= 50


def most_within(times: list[float], window_s: float) -> int:
    """How many of the times, which are in order, lie in one window at most."""
    return max(sum(start <= one < start + window_s for one in times) for start in times)


@pytest.mark.long
def test_a_stream_that_is_reset_at_once_is_retried_at_the_pace_of_one_that_x_closes(
    make_collection: Make,
) -> None:
    collection = started(make_collection, http_backoff="2s")
    collection.sandbox.v2.fault("reset", app="app", on="connects", after=0.1, times=4)
    check_retried_at_once_and_then_after_growing_waits(collection, "broke soon after the 200")
    assert {gap["cause"] for gap in collection.gaps("v2:app")} <= {"start", "network"}


@pytest.mark.long
def test_errors_of_the_stream_are_waited_out_in_doubled_steps_with_one_line_at_each_end(
    make_collection: Make,
) -> None:
    collection = started(
        make_collection, http_backoff="50ms", http_backoff_max="3200ms"
    )  # X's: 5 s and 320 s
    steps = [0.05 * 2**doubled for doubled in range(7)] + [3.2]
    collection.sandbox.v2.fault("status", app="app", endpoint="stream", status=503, times=len(steps))
    collection.start()
    rests: list[tuple[float, float]] = []  # when a connect failed, and how long its key rests

    def opened() -> bool:
        key = collection.key("app")
        if key.get("until") and (not rests or key["failed_at"] > rests[-1][0] + 1.0):
            rests.append((key["failed_at"], key["until"] - key["failed_at"]))
        return 200 in statuses(collection)

    wait_for(opened, "a stream opens")
    assert statuses(collection) == [503] * len(steps) + [200]
    at = [one["at_mono"] for one in connects(collection)]
    assert all(later - before >= step for (before, later), step in zip(pairwise(at), steps, strict=True))
    (_, longest), (_, last) = rests[-2:]
    assert all(3.2 < rest <= 3.2 * 1.25 + 0.1 for rest in (longest, last)), "as long as it may be, and jitter"
    assert longest != pytest.approx(last, abs=0.002), "by chance"
    collection.wait_log("rules no longer wait", "v2:app")
    lines = collection.log().splitlines()
    said = [line for line in lines if " WARNING " in line or " ERROR " in line]
    for text in ("connect failed", "rules are not collected"):
        assert sum(text in line for line in said) == 1, text
    assert len(said) == len({line.split(" why=")[0].split(maxsplit=1)[1] for line in said}), "each once"
    assert sum(" connect failed " in line for line in lines) == len(steps), "the others are no warnings"
    assert sum(" rules no longer wait " in line for line in lines) == 1
