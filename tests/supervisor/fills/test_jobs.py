"""Gaps are filled by recovery jobs and backfills step by step."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.fillworld import ALLOWED, APP, T
from support.fillworld import MakeFillWorld as Make

from traptor.common.fills import FillEnd
from traptor.common.messages import BACKFILLED, Connect, PieceFetched
from traptor.supervisor.gaps.interval import IntervalKind, instant
from traptor.supervisor.keys.conduct.states import ConnectVerdict
from traptor.supervisor.ledger.records import Entry


def test_recovery_jobs_follow_each_other_until_two_come_no_further(make: Make) -> None:
    world = make(fill_gaps="recovery")
    first = world.turn()
    assert (first.start_time, first.end_time) == ("2026-09-21T14:13:10Z", "2026-09-21T14:14:21Z")
    assert first.most_posts == 2_000  # for $10
    assert world.spent == [120.0]
    for reached, starts in (("30.5", "14:13:40"), ("30.5", "14:13:50"), ("30.5", None)):
        fill = world.answer(token=f"{T + float(reached):.3f}", posts=9, new=3, reads={"posts": 3})
        assert world.turn() is None, "jobs are apart"
        world.now += 2
        again = world.turn()
        assert (again and again.start_time[11:19]) == starts
    assert (fill.state, fill.posts, fill.method) == ("done", 9, "recovery")


def test_a_killed_master_goes_on_with_a_recovery_where_it_was(make: Make) -> None:
    world = make(fill_gaps="recovery")
    world.turn()
    world.answer(token=f"{T + 30.5:.3f}", new=3)
    world.turn()
    world.begin(2)
    assert world.turn().start_time == "2026-09-21T14:13:40Z"


def test_a_recovery_leaves_connects_to_the_stream(make: Make) -> None:
    world = make(fill_gaps="recovery")
    world.may = ConnectVerdict(False, 180.0, "25 of 50 connects are used")
    assert world.turn() is None
    assert (world.waits_for(), world.spent) == ("25 of 50 connects are used", [])
    world.may = ALLOWED
    assert world.turn() is not None


def test_what_is_older_than_a_day_cannot_be_recovered(make: Make) -> None:
    world = make(fill_gaps="recovery")
    world.now += 90_000
    assert world.turn() is None
    assert world.book.all()[-1].why == "it is older than the 24 hours that X recovers"


def test_a_gap_that_the_stream_brings_is_filled_when_the_worker_says_so(
    make: Make,
) -> None:
    world = make(fill_gaps="recovery")
    world.c.serving.connect = Connect(key_id="k", key_name="app", backfill_minutes=5)
    world.c.serving.streaming_since = instant_now = instant(time.monotonic()).mono
    world.book.put(replace(world.book.all()[-1], from_unix=time.time() - 60, to_unix=time.time()))
    world.fills.connected(world.c.serving, instant_now)
    assert world.book.all()[-1].method == "backfill"
    assert world.turn() is None
    told = PieceFetched(number=BACKFILLED, end=FillEnd.DONE, posts=9, new=4, reads={"posts": 4})
    world.fills.fetched(world.c.serving, told)
    fill = world.book.all()[-1]
    assert (fill.state, fill.method, fill.posts, fill.dollars) == ("done", "backfill", 4, 0.02)


def test_no_stream_brings_the_past_once_the_cap_of_fills_is_used_up(make: Make) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=1)
    now = instant(time.monotonic())
    world.c.gaps = SimpleNamespace(
        kind=IntervalKind.GAP, since=now, standing=SimpleNamespace(cause="network", generation=1)
    )
    assert world.fills.minutes(world.c, now.mono) == 1
    world.book.paid(APP, 0.99, world.clock().wall)
    assert world.fills.minutes(world.c, now.mono) == 0


def test_two_gaps_are_recovered_at_once_and_a_third_waits_for_either(make: Make) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=1_000)
    world.book.take(Entry(APP, "gap", "crash", T + 200, T + 210, 10, 2))
    world.book.take(Entry(APP, "gap", "crash", T + 400, T + 410, 10, 3))
    world.now = 500
    first = world.turn()
    assert world.turn() is None, "some seconds apart"
    world.now += 2
    second = world.turn()
    assert [piece.start_time[11:19] for piece in (first, second)] == ["14:13:10", "14:16:30"]
    world.now += 5
    assert world.turn() is None, "two at a time"
    world.fills.fetched(
        world.c.serving, PieceFetched(number=second.number, end=FillEnd.DONE, new=7, reads={"posts": 7})
    )
    assert {one.from_unix: one.posts for one in world.book.all()} == {T: 0, T + 200: 7, T + 400: 0}
    world.now += 2
    third = world.turn()
    assert third.start_time[11:19] == "14:16:30", "once more, as nothing came"
    world.fills.fetched(world.c.serving, PieceFetched(number=third.number, end=FillEnd.DONE))
    world.now += 2
    assert world.turn().start_time[11:19] == "14:19:50"
    world.c.serving = None
    world.now += 5
    world.turn()
    world.serve(2)
    again = [world.turn()]
    world.now += 2
    again.append(world.turn())
    assert [piece.start_time[11:19] for piece in again] == ["14:13:10", "14:19:50"], "of a killed worker"


@pytest.mark.parametrize(
    ("dollars", "allotted"),
    [(1_000, [20_000, 20_000]), (10, [1_000, 1_000]), (0.15, [15, 15]), (0.08, [10, None]), (0.02, [None])],
)
def test_jobs_at_once_share_what_a_cap_leaves(make: Make, dollars: float, allotted: list[int | None]) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=dollars)
    world.book.take(Entry(APP, "gap", "crash", T + 200, T + 210, 10, 2))
    world.now = 500
    for most in allotted:
        piece = world.turn()
        assert (piece and piece.most_posts) == most
        world.now += 2
    waits = "fill_daily_dollars is used up" if allotted == [None] else None
    assert world.waits_for() == waits, "for the other job, not for money"


def test_jobs_that_a_dead_worker_holds_are_looked_for_and_living_ones_known(
    make: Make,
) -> None:
    world = make(fill_gaps="recovery")
    key = world.app.key.key_id  # type: ignore[attr-defined]
    assert world.fills.jobs(key) == []
    world.turn()
    assert (world.fills.jobs(key), world.fills.jobs("another")) == ([T + 120], [])
    world.now += 1
    refused = {"status": 429, "problem": "TooManyConnections", "headers": {"x-rate-limit-remaining": "40"}}
    world.answer(FillEnd.HTTP, **refused)
    assert (world.slots, world.fills.jobs(key)) == (["connecting", "taken"], [])
    for _ in range(40):
        world.now += 1_000
        assert world.turn() is not None, "it is never given up"
        fill = world.answer(FillEnd.HTTP, **refused)
    assert fill.is_open


def test_a_job_begins_when_x_can_tell_it_from_the_stream_that_opened(make: Make) -> None:
    world = make(fill_gaps="recovery")
    world.c.serving.streaming_since = 116.0
    assert world.turn() is None
    world.now += 2
    assert world.turn() is not None


@pytest.mark.parametrize(("seconds", "pieces"), [(600, 1), (7_200, 2)])
def test_a_long_gap_is_recovered_in_two_halves_at_once(make: Make, seconds: int, pieces: int) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=1_000)
    world.book.put(replace(world.book.all()[-1], to_unix=T + seconds))
    world.now = seconds + 500
    found = []
    for _ in range(4):
        found.append(world.turn())
        world.now += 2
    asked = [(piece.start_time[11:19], piece.end_time[11:19]) for piece in found if piece is not None]
    whole, halves = ("14:13:10", "14:23:21"), [("14:13:10", "15:13:21"), ("15:13:10", "16:13:21")]
    assert asked == ([whole] if pieces == 1 else halves)
    due = [piece for piece in found if piece is not None]
    for _ in range(2):  # nothing came: it is asked for once more
        for piece in due:
            world.fills.fetched(world.c.serving, PieceFetched(number=piece.number, end=FillEnd.DONE, new=3))
        world.now += 2
        due = [world.turn()]
        world.now += 2
        due += [world.turn()] * (pieces - 1)
    assert [(one.state, one.posts) for one in world.book.all()] == [("done", 6)] * pieces
