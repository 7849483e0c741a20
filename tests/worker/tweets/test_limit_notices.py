"""What limit notices add up to."""

from hypothesis import given
from hypothesis import strategies as st

from traptor.worker.tweets.limit_notices import LimitNotices

totals = st.lists(st.integers(0, 1000))


def test_totals_are_not_summed_up():
    notices = LimitNotices()
    assert [notices.newly_withheld(total) for total in (3, 10, 10, 12)] == [3, 7, 0, 2]


def test_a_falling_total_of_another_server_thread_adds_nothing():
    notices = LimitNotices()
    assert [notices.newly_withheld(total) for total in (100, 40, 101, 41)] == [100, 0, 1, 0]


def test_a_new_connection_counts_from_zero():
    notices = LimitNotices()
    notices.newly_withheld(100)
    notices.reset()
    assert notices.newly_withheld(5) == 5


@given(totals)
def test_the_parts_add_up_to_the_highest_total(totals):
    notices = LimitNotices()
    assert sum(notices.newly_withheld(total) for total in totals) == max(totals, default=0)
