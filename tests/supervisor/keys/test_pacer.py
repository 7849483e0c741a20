"""Connects per source address are spaced."""

from hypothesis import given
from hypothesis import strategies as st

from traptor.supervisor.keys.pacer import Pacer


def test_the_first_connect_is_due_now() -> None:
    assert Pacer(2.0).next_at("192.0.2.1", 50.0) == 50.0


def test_two_a_second_are_half_a_second_apart() -> None:
    pacer = Pacer(2.0)
    pacer.take("192.0.2.1", 50.0)
    assert pacer.next_at("192.0.2.1", 50.1) == 50.5
    assert pacer.next_at("192.0.2.1", 60.0) == 60.0


def test_addresses_do_not_wait_for_each_other() -> None:
    pacer = Pacer(2.0)
    pacer.take("192.0.2.1", 50.0)
    assert pacer.next_at("192.0.2.2", 50.0) == 50.0
    assert pacer.next_at(None, 50.0) == 50.0
    pacer.take(None, 50.0)
    assert pacer.next_at(None, 50.0) == 50.5


def test_another_rate_counts_at_once() -> None:
    pacer = Pacer(0.1)
    pacer.take(None, 0.0)
    assert pacer.next_at(None, 1.0) == 10.0
    pacer.connect_rate = 2.0
    assert pacer.next_at(None, 0.25) == 0.5


@given(st.floats(0.1, 50), st.lists(st.floats(0, 3), max_size=40))
def test_no_second_sees_more_connects_than_the_rate(rate: float, waits: list[float]) -> None:
    pacer, now, taken = Pacer(rate), 0.0, []
    for wait in waits:
        now = pacer.next_at(None, now + wait)
        pacer.take(None, now)
        taken.append(now)
    for start in taken:
        in_window = [at for at in taken if start <= at < start + 1 - 1e-9]
        assert len(in_window) <= max(1, -(-rate // 1))
