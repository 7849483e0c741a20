"""How answers and endings are classed, and how long a key rests after them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.messages import DisconnectKind
from traptor.supervisor.keys.conduct.backoff import KeyBackoff
from traptor.supervisor.keys.conduct.failures import LONGEST_ASKED_S, Failure, FailureKind
from traptor.supervisor.keys.conduct.limits import PoolLimits

LIMITS = PoolLimits()
WALL = 1_790_000_000.0


def rests(kind: FailureKind, times: int) -> list[float]:
    backoff, waits = KeyBackoff(), []
    rng = random.Random(1)
    now = 0.0
    for _ in range(times):
        backoff = backoff.after(Failure(kind), now, LIMITS, rng)
        assert backoff.until is not None
        waits.append(backoff.until - now)
        now = backoff.until
    return waits


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (FailureKind.NETWORK, [min(0.25 * n, 16.0) for n in range(1, 80)]),
        (FailureKind.HTTP, [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0, 320.0]),
        (FailureKind.REFUSED, [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0, 320.0]),
        (FailureKind.CLOSED, [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0, 320.0]),
        (FailureKind.BROKEN, [0.25, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0, 320.0]),
        (FailureKind.RATE_LIMITED, [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]),
    ],
)
def test_each_class_rests_by_twitters_steps_and_never_shorter(kind: FailureKind, steps: list[float]) -> None:
    for wait, step in zip(rests(kind, len(steps)), steps, strict=True):
        assert step - 1e-9 <= wait <= step * 1.25 + 1e-9


def test_a_short_failure_does_not_cut_a_long_rest_short() -> None:
    rng = random.Random(0)
    limited = KeyBackoff().after(Failure(FailureKind.RATE_LIMITED), 0.0, LIMITS, rng)
    assert limited.after(Failure(FailureKind.NETWORK), 1.0, LIMITS, rng).until == limited.until


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, FailureKind.UNAUTHORIZED),
        (403, FailureKind.UNAUTHORIZED),
        (420, FailureKind.RATE_LIMITED),
        (429, FailureKind.RATE_LIMITED),
        (503, FailureKind.HTTP),
        (500, FailureKind.HTTP),
        (302, FailureKind.HTTP),
        (407, FailureKind.HTTP),
        (408, FailureKind.HTTP),
        (425, FailureKind.HTTP),
        (400, FailureKind.REFUSED),
        (422, FailureKind.REFUSED),
    ],
)
def test_answers_are_classed_by_status(status: int, kind: FailureKind) -> None:
    assert Failure.of_answer(status, {}, WALL) == Failure(kind, text=f"HTTP {status}")


@pytest.mark.parametrize(
    ("status", "headers", "asked_s"),
    [
        (429, {"retry-after": "77"}, 77.0),
        (503, {"retry-after": "77"}, 77.0),
        (429, {"x-rate-limit-reset": str(int(WALL) + 900)}, 900.0),
        (429, {"x-rate-limit-reset": str(int(WALL) + 900), "retry-after": "30"}, 900.0),
        (429, {"x-rate-limit-reset": str(int(WALL) - 5)}, None),
        (503, {"x-rate-limit-reset": str(int(WALL) + 900)}, None),
        (420, {"retry-after": "Mon, 21 Sep 2026 14:14:20 GMT"}, 60.0),
        (429, {"x-rate-limit-reset": str(int(WALL) * 1000)}, LONGEST_ASKED_S),
        (429, {"retry-after": "soon", "x-rate-limit-reset": "nan"}, None),
        (429, {"retry-after": "-5"}, None),
        # the host's clock is an hour fast: the server's own date tells
        (429, {"x-rate-limit-reset": str(int(WALL) - 2700), "date": "Mon, 21 Sep 2026 13:13:20 GMT"}, 900.0),
    ],
)
def test_the_wait_that_the_server_asks_for_is_read(
    status: int, headers: dict[str, str], asked_s: float | None
) -> None:
    assert Failure.of_answer(status, headers, WALL).asked_s == pytest.approx(asked_s)


@given(
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["retry-after", "x-rate-limit-reset", "date"]), st.text()),
)
def test_no_header_breaks_the_reading(status: int, headers: dict[str, str]) -> None:
    asked_s = Failure.of_answer(status, headers, WALL).asked_s
    assert asked_s is None or 0 < asked_s <= LONGEST_ASKED_S


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"])
def test_dates_at_the_ends_of_time_are_read_too(date: str) -> None:
    assert Failure.of_answer(429, {"retry-after": date}, WALL).asked_s in (None, LONGEST_ASKED_S)


def test_a_refused_key_is_no_matter_of_resting() -> None:
    backoff = KeyBackoff().after(Failure(FailureKind.UNAUTHORIZED), 0.0, LIMITS, random.Random(0))
    assert backoff == KeyBackoff()


def test_what_the_server_asks_for_is_a_minimum() -> None:
    def until(asked_s: float) -> float | None:
        return (
            KeyBackoff()
            .after(Failure(FailureKind.RATE_LIMITED, asked_s), 0.0, LIMITS, random.Random(3))
            .until
        )

    assert 900.0 <= (until(900.0) or 0) <= 915.0
    assert 60.0 <= (until(1.0) or 0) <= 75.0


def test_only_ends_that_are_not_ours_blame_the_key() -> None:
    ends = {kind: Failure.of_short_stream(kind) for kind in DisconnectKind}
    blamed = {kind: failure.kind for kind, failure in ends.items() if failure is not None}
    assert blamed.keys().isdisjoint({DisconnectKind.OWN_CLOSE, DisconnectKind.WORKER})
    assert blamed[DisconnectKind.SERVER_CLOSE] is FailureKind.CLOSED
    assert blamed[DisconnectKind.NETWORK] is FailureKind.BROKEN
    assert blamed[DisconnectKind.STALL] is FailureKind.NETWORK
