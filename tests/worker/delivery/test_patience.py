"""When an output counts as one that confirms nothing; the time is passed in."""

from __future__ import annotations

from traptor.worker.delivery.patience import Front, Patience

FIRST, SECOND = Front("first", 3), Front("second", 3)


def test_an_output_that_has_nothing_is_never_overdue() -> None:
    patience = Patience(60.0)
    for now in (0.0, 100.0, 1000.0):
        patience.look(None, now)
        assert patience.overdue_since(now) is None


def test_it_is_overdue_once_the_front_has_stood_still_for_the_time() -> None:
    patience = Patience(60.0)
    patience.look(FIRST, 10.0)
    patience.look(FIRST, 69.9)
    assert patience.overdue_since(69.9) is None
    patience.look(FIRST, 70.0)
    assert patience.overdue_since(70.0) == 10.0
    assert patience.overdue_since(500.0) == 10.0


def test_a_slow_output_is_not_overdue_as_long_as_it_gets_on() -> None:
    """One message of the oldest batch, or the next batch, is enough."""
    patience = Patience(60.0)
    for now, front in ((0.0, FIRST), (50.0, FIRST._replace(left=2)), (100.0, SECOND), (150.0, SECOND)):
        patience.look(front, now)
        assert patience.overdue_since(now) is None
    assert patience.overdue_since(160.0) == 100.0


def test_it_is_no_longer_overdue_when_the_front_moves() -> None:
    patience = Patience(60.0)
    patience.look(FIRST, 0.0)
    assert patience.overdue_since(90.0) == 0.0
    patience.look(SECOND, 91.0)
    assert patience.overdue_since(91.0) is None


def test_it_begins_anew_for_messages_that_come_after_all_were_confirmed() -> None:
    patience = Patience(60.0)
    patience.look(FIRST, 0.0)
    patience.look(None, 50.0)
    patience.look(FIRST, 55.0)
    assert patience.overdue_since(100.0) is None
    assert patience.overdue_since(115.0) == 55.0
