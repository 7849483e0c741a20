"""What follows from the end of a piece."""

from __future__ import annotations

import pytest

from traptor.common.fills import FillEnd, FillMethod
from traptor.common.messages import PieceFetched
from traptor.supervisor.fills.pieces.course import NO_FAILURES, Failures
from traptor.supervisor.fills.pieces.verdict import MOST_FAILURES, Consequence, settled, verdict
from traptor.supervisor.gaps.fill import Fill

NOW = 1_790_000_000.0


def answer(end: FillEnd = FillEnd.HTTP, status: int | None = None, **members: object) -> PieceFetched:
    return PieceFetched(number=1, end=end, status=status, **members)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "consequence"),
    [
        (answer(FillEnd.DONE, 200), Consequence.GO_ON),
        (answer(status=400, detail="bad query"), Consequence.WAIT),
        (answer(status=401), Consequence.NO_TOKEN),
        (answer(status=402, problem="credits-depleted"), Consequence.NO_MONEY),
        (answer(status=429, problem="usage-capped"), Consequence.NO_MONEY),
        (answer(status=429, problem="rate-limit-exceeded"), Consequence.WAIT),
        (answer(status=403, problem="client-forbidden"), Consequence.GIVE_UP),
        (answer(status=404), Consequence.GIVE_UP),
        (answer(status=500), Consequence.WAIT),
        (answer(status=503), Consequence.WAIT),
        (answer(FillEnd.NETWORK), Consequence.WAIT),
        (answer(FillEnd.BROKEN, 200), Consequence.WAIT),
        (answer(FillEnd.SHORT, 200), Consequence.WAIT),
        (answer(FillEnd.NO_ROOM, 200), Consequence.WAIT),
        (answer(FillEnd.FAULT), Consequence.WAIT),
    ],
)
def test_each_end_has_its_consequence(said: PieceFetched, consequence: Consequence) -> None:
    found = verdict(said, NO_FAILURES, NOW)
    assert found.consequence is consequence
    assert (found.why == "") is (consequence is Consequence.GO_ON)


def test_a_query_is_left_out_when_x_refuses_it_again_later() -> None:
    first = verdict(answer(status=400, detail="bad query"), NO_FAILURES, NOW)
    assert (first.consequence, first.wait_s) == (Consequence.WAIT, 30.0)
    other = verdict(answer(status=400, detail="bad query"), Failures(1, 503), NOW)
    assert (other.consequence, other.failures.count) == (Consequence.WAIT, 2), (
        "what failed before was something else"
    )
    again = verdict(answer(status=400, detail="bad query"), first.failures, NOW)
    assert (again.consequence, again.why) == (Consequence.LEAVE_OUT, "X answered 400: bad query")


def test_failures_wait_longer_each_time_and_end_in_giving_up() -> None:
    waits = []
    failures = NO_FAILURES
    while (found := verdict(answer(status=503), failures, NOW)).consequence is Consequence.WAIT:
        waits.append(found.wait_s)
        failures = found.failures
    assert waits[:8] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0]
    assert len(waits) == MOST_FAILURES - 1
    assert found.consequence is Consequence.GIVE_UP
    assert found.why == f"{MOST_FAILURES} tries in a row failed, the last one: X answered 503"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, 60.0),
        ({"x-rate-limit-reset": str(int(NOW) + 200)}, 201.0),
        ({"x-rate-limit-reset": str(int(NOW) - 200)}, 60.0),
        ({"x-rate-limit-reset": str(int(NOW) + 10**6)}, 900.0),
        ({"retry-after": "7", "x-rate-limit-reset": str(int(NOW) + 200)}, 7.0),
        ({"retry-after": "Wed, 25 Nov 2026 22:00:00 GMT"}, 60.0),
    ],
)
def test_a_used_up_window_waits_as_long_as_x_says_and_is_no_failure(
    headers: dict[str, str], wait_s: float
) -> None:
    found = verdict(answer(status=429, problem="rate-limit-exceeded", headers=headers), NO_FAILURES, NOW)
    assert (found.consequence, found.wait_s, found.failures.count) == (Consequence.WAIT, wait_s, 0)


def test_a_search_that_came_too_soon_is_asked_again_soon_and_not_at_the_end_of_the_window() -> None:
    too_soon = answer(
        status=429, headers={"x-rate-limit-remaining": "280", "x-rate-limit-reset": str(int(NOW) + 800)}
    )
    first = verdict(too_soon, NO_FAILURES, NOW)
    assert (first.consequence, first.wait_s, first.failures.count) == (Consequence.WAIT, 2.0, 1)
    assert verdict(too_soon, first.failures, NOW).wait_s == 4.0
    used_up = answer(
        status=429, headers={"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(NOW) + 800)}
    )
    assert verdict(used_up, NO_FAILURES, NOW).wait_s == 801.0


@pytest.mark.parametrize(
    ("token", "end", "reached", "failures", "becomes", "goes_on_from"),
    [
        ("", FillEnd.DONE, "", 0, FillEnd.DONE, "="),  # nothing: perhaps it ended before the first post
        ("=", FillEnd.DONE, "", 0, FillEnd.DONE, ""),  # there was nothing
        ("=", FillEnd.DONE, "50.5", 0, FillEnd.DONE, "50.5"),
        ("=", FillEnd.NETWORK, "", 0, FillEnd.SHORT, ""),
        ("", FillEnd.DONE, "50.5", 0, FillEnd.DONE, "50.5"),  # perhaps it ended early
        ("50.5", FillEnd.DONE, "60.0", 0, FillEnd.DONE, "60.0"),
        ("60.0", FillEnd.DONE, "60.0", 0, FillEnd.DONE, "=60.0"),  # no further: perhaps it ended there again
        ("=60.0", FillEnd.DONE, "60.0", 0, FillEnd.DONE, ""),  # that was all
        ("=60.0", FillEnd.DONE, "61.0", 0, FillEnd.DONE, "61.0"),
        ("=60.0", FillEnd.DONE, "", 0, FillEnd.SHORT, ""),
        ("=60.0", FillEnd.DONE, "", 3, FillEnd.DONE, ""),
        ("=60.0", FillEnd.NETWORK, "60.0", 0, FillEnd.SHORT, "60.0"),
        ("60.0", FillEnd.DONE, "55.0", 0, FillEnd.SHORT, "55.0"),
        ("60.0", FillEnd.DONE, "", 2, FillEnd.SHORT, ""),
        ("60.0", FillEnd.DONE, "55.0", 3, FillEnd.DONE, "=60.0"),  # that post is gone
        ("", FillEnd.NETWORK, "40.0", 0, FillEnd.DONE, "40.0"),  # broken off, but not without posts
        ("60.0", FillEnd.NETWORK, "60.0", 9, FillEnd.SHORT, "60.0"),
        ("", FillEnd.NETWORK, "", 0, FillEnd.SHORT, ""),
        ("60.0", FillEnd.HTTP, "", 0, FillEnd.HTTP, ""),
        ("60.0", FillEnd.NO_ROOM, "70.0", 0, FillEnd.NO_ROOM, "70.0"),
    ],
)
def test_a_recovery_goes_on_until_a_job_comes_no_further(
    token: str, end: FillEnd, reached: str, failures: int, becomes: FillEnd, goes_on_from: str
) -> None:
    fill = Fill(1, "v2:app", 1.0, 99.0, FillMethod.RECOVERY, token=token)
    found = settled(fill, answer(end, token=reached), failures)
    assert (found.end, found.token) == (becomes, goes_on_from)
