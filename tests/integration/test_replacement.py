"""A refresh replaces exactly the worker that is meant, in each of its ways, and costs no stream."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime
from itertools import groupby

import pytest
from support.collection import Collection, Json, Key
from support.losses import Span, unaccounted
from support.pair import TICKS_S, gaps_of_ticks_aside
from support.waiting import wait_for

Make = Callable[..., Collection]

_REFRESHES = 60  # in each way

WAYS = {
    "slot": (Key("k1", max_connections=2),),
    "spare": (Key("k1"), Key("k2")),
    "overlap": (Key("k1"),),
    "serial": (Key("k1"),),
}


def start_one(make: Make, way: str, **options: object) -> Collection:
    """A collection with one connection, track:0, that is refreshed in this way only."""
    collection = make(*WAYS[way])
    collection.options = {"supervisor": {"handover": way, **options}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    collection.wait_streaming("track:0")
    return collection


def test_a_hint_replaces_one_worker_and_no_other(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"), Key("k3"))
    for group in ("track:0", "track:1", "track:2"):
        collection.add_rules(group, [f"storm{group[-1]}"])
    collection.start()
    before = collection.wait_streaming("track:0", "track:1", "track:2")
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", before["track:0"])
    after = collection.wait_streaming("track:0", "track:1", "track:2")
    assert {name: after[name] for name in ("track:1", "track:2")} == {
        name: before[name] for name in ("track:1", "track:2")
    }
    newest = collection.sandbox.connections()[-1]
    assert sorted(newest["values"]["track"]) == ["flood", "storm0"]


def test_a_thousand_hints_make_one_replacement_at_once_and_at_most_one_more(make_collection: Make) -> None:
    collection = make_collection(Key("k1"), Key("k2"))
    collection.options = {"supervisor": {"refresh_min_interval": "3s", "rules_check_interval": "60s"}}
    collection.add_rules("track:0", ["storm"])
    collection.start()
    first = collection.wait_streaming("track:0")["track:0"]
    collection.add_rules("track:0", ["flood"])
    with collection.redis.pipeline(transaction=False) as pipeline:
        for _ in range(1000):
            pipeline.publish("traptor-notify", "track:0")
        pipeline.execute()
    second = collection.wait_new_pid("track:0", first)
    assert second != first
    at = collection.status()["at"]
    wait_for(lambda: collection.status()["at"] > at + 7, "two more intervals are over")
    births = [line for line in collection.log().splitlines() if "worker forked" in line]
    assert 2 <= len(births) <= 3


@pytest.mark.parametrize("way", ["slot", "spare", "overlap"])
def test_a_refresh_with_a_way_to_overlap_leaves_no_gap(make_collection: Make, way: str) -> None:
    collection = start_one(make_collection, way)
    old = collection.pid("track:0")
    assert old is not None
    collection.hint("track:0")
    collection.wait_new_pid("track:0", old)
    collection.wait_log("refreshed", f"way={way}")
    wait_for(lambda: len(collection.workers()) == 1, "the old worker ended")
    assert [gap["cause"] for gap in gaps_of_ticks_aside(collection, "track:0")] == ["start"]
    one, two = collection.sandbox.connections()
    # In an overlap the server closes; else we do, a second later: it may still have tweets for the old one.
    assert one["closed_by"] == ("replaced" if way == "overlap" else "client")
    assert one["closed_mono"] - two["opened_mono"] > (0.0 if way == "overlap" else 1.0 - TICKS_S)
    # All of it was intended, so no line about it is a warning.
    end = collection.wait_log("stream ended", name="track:0")
    assert "kind=server_close" in end if way == "overlap" else "kind=own_close" in end
    assert all(" INFO " in line for line in (end, collection.wait_log(" gap connection=track:0 ")))


def test_a_serial_refresh_records_the_gap_that_the_server_saw(make_collection: Make) -> None:
    collection = start_one(make_collection, "serial")
    old = collection.pid("track:0")
    assert old is not None
    collection.hint("track:0")
    collection.wait_new_pid("track:0", old)
    wait_for(lambda: len(collection.gaps("track:0")) == 2, "the gap in the log")
    gap = collection.gaps("track:0")[1]
    assert gap["cause"] == "refresh"
    one, two = collection.sandbox.connections()
    # From our close, which the server notices later, until its 200 is read.
    assert float(gap["seconds"]) > two["opened_mono"] - one["closed_mono"] - 0.1
    assert datetime.fromisoformat(gap["since"]).timestamp() < one["closed_at"] + 0.1


@pytest.mark.parametrize("way", list(WAYS))
def test_a_successor_that_is_refused_leaves_the_old_stream(make_collection: Make, way: str) -> None:
    """503 for every new connect: the old one streams on, or again, with its own rules."""
    collection = start_one(make_collection, way)
    old = collection.wait_streaming("track:0")["track:0"]
    collection.sandbox.fault("status", status=503, times=1)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_log("connect failed", "status=503", name="track:0")
    values = wait_for(lambda: _open_values(collection), "an open stream")
    assert values in (["storm"], ["flood", "storm"])
    wait_for(lambda: _open_values(collection) == ["flood", "storm"], "the refresh is tried again")
    collection.wait_new_pid("track:0", old)


def _open_values(collection: Collection) -> list[str] | None:
    open_now = [c for c in collection.sandbox.connections() if c["closed_at"] is None]
    return sorted(open_now[-1]["values"]["track"]) if open_now else None


def test_refused_rules_of_a_successor_are_not_tried_again_until_they_change(make_collection: Make) -> None:
    collection = start_one(make_collection, "spare")
    old = collection.pid("track:0")
    collection.sandbox.fault("status", status=406, times=1)
    collection.add_rules("track:0", ["flood"])
    collection.hint("track:0")
    collection.wait_log("the server refuses the rules", "status=406")
    collection.add_rules("track:0", ["hail"])
    collection.hint("track:0")
    collection.wait_new_pid("track:0", old or 0)
    assert _open_values(collection) == ["flood", "hail", "storm"]
    statuses = [attempt["status"] for attempt in collection.sandbox.attempts()]
    assert statuses == [200, 406, 200]


def test_a_worker_that_dies_while_it_starts_does_not_cost_the_running_stream(make_collection: Make) -> None:
    collection = start_one(make_collection, "spare")
    old = collection.wait_streaming("track:0")["track:0"]
    collection.sandbox.fault("slow_start", after=30, seconds=20)
    collection.hint("track:0")
    successor = wait_for(lambda: collection.connection("track:0")["successor"], "a successor")
    next(child for child in collection.workers() if child.pid == successor["pid"]).send_signal(signal.SIGKILL)
    collection.sandbox.clear_faults()
    collection.wait_new_pid("track:0", old)
    assert [gap["cause"] for gap in collection.gaps("track:0")] == ["start"]


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("way", list(WAYS))
def test_refresh_after_refresh_loses_nothing_outside_reported_gaps(make_collection: Make, way: str) -> None:
    collection = start_one(make_collection, way, refresh_min_interval="50ms")
    collection.sandbox.set_rules([("track", "storm")])
    collection.sandbox.set_rate(100)
    for number in range(1, _REFRESHES + 1):
        collection.hint("track:0")
        wait_for(lambda number=number: _refreshes(collection) == number, f"refresh {number}")
    collection.sandbox.stop_timeline()
    wait_for(lambda: not _lost(collection), "what was made outside of reported gaps is written")
    assert collection.stop() == 0
    assert len(_written(collection)) > 5 * _REFRESHES
    assert not _lost(collection)
    if way != "serial":
        causes = [gap["cause"] for gap in gaps_of_ticks_aside(collection, "track:0")]
        # A stop may meet the last overlap: then each of its two streams has an end of its own.
        assert [cause for cause, _ in groupby(causes)] == ["start", "shutdown"]


def _lost(collection: Collection) -> list[Json]:
    """Tweets for the rule, sent after the start and outside of reported gaps, that are not written."""
    written, spans = _written(collection), _spans(collection)
    missing = [tweet for tweet in collection.sandbox.tweets() if tweet["for"] and tweet["id"] not in written]
    return unaccounted(missing, spans, collection.sandbox.connections(with_values=False))


def _refreshes(collection: Collection) -> int:
    return sum(" refreshed " in line for line in collection.log().splitlines())


def _written(collection: Collection) -> set[str]:
    return {tweet["id_str"] for tweet in collection.tweets("track:0")}


def _spans(collection: Collection) -> list[Span]:
    """The reported gaps as Unix times, widened by the rounding of the log's milliseconds.

    Before the first of them nothing was planned yet.
    """
    gaps = [
        [datetime.fromisoformat(gap[end]).timestamp() for end in ("since", "until")]
        for gap in collection.gaps("track:0")
    ]
    return [(0.0, gaps[0][1] + 0.002), *((since - 0.002, until + 0.002) for since, until in gaps[1:])]
