"""What happens often is said seldom, and none of it is forgotten; the time is passed in."""

from __future__ import annotations

from traptor.common.logs.throttle import SAY_INTERVAL_S, Ration, Tally


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_of_a_kind_is_said_at_once_and_the_rest_with_its_number_a_minute_later() -> None:
    clock = Clock()
    tally = Tally(clock)
    assert [tally.add("a") for _ in range(3)] == [1, 0, 0]
    assert tally.add("b") == 1
    clock.now += SAY_INTERVAL_S
    assert tally.add("a") == 3


def test_what_was_not_said_is_the_rest() -> None:
    tally = Tally(Clock())
    for _ in range(3):
        tally.add("a")
    assert tally.rest() == {"a": 2}
    assert tally.rest() == {}


def test_an_allowance_is_for_each_minute() -> None:
    clock = Clock()
    ration = Ration(2, clock)
    assert [ration.take() for _ in range(4)] == [True, True, False, False]
    clock.now += SAY_INTERVAL_S
    assert not ration.take()
    clock.now += 0.1
    assert [ration.take() for _ in range(3)] == [True, True, False]
