"""The bill: each post once per UTC day and app, each included user every time."""

from traptor.sandbox.v2.bill import Bill, Prices
from traptor.sandbox.v2.posts import Reads

MIDNIGHT_S = 1_790_035_200.0


def rows(bill):
    return {(row["app"], row["day"]): row for row in bill.as_json()}


def test_a_post_is_charged_once_a_day_and_app_wherever_it_stands():
    bill = Bill()
    bill.add("a", Reads("1"), MIDNIGHT_S + 10)
    bill.add("a", Reads("1"), MIDNIGHT_S + 11)
    bill.add("a", Reads("2", ("1", "3")), MIDNIGHT_S + 12)
    bill.add("a", Reads("3"), MIDNIGHT_S + 13)
    bill.add("b", Reads("1"), MIDNIGHT_S + 14)
    found = rows(bill)
    assert found["a", "2026-09-22"] == {
        "app": "a",
        "day": "2026-09-22",
        "lines": 4,
        "posts": 2,
        "included_posts": 1,
        "included_users": 0,
        "looked_up_users": 0,
        "dollars": 0.015,
    }
    assert found["b", "2026-09-22"]["posts"] == 1


def test_an_included_user_is_charged_each_time():
    bill = Bill(Prices(post=1.0, user=0.25))
    bill.add("a", Reads("1", (), 3), MIDNIGHT_S)
    bill.add("a", Reads("1", (), 3), MIDNIGHT_S)
    assert bill.as_json()[0]["included_users"] == 6
    assert bill.as_json()[0]["dollars"] == 2.5


def test_the_day_ends_at_midnight_utc():
    bill = Bill()
    bill.add("a", Reads("1"), MIDNIGHT_S - 0.001)
    bill.add("a", Reads("1"), MIDNIGHT_S)
    assert [(day.date, day.posts) for day in bill.days("a")] == [("2026-09-21", 1), ("2026-09-22", 1)]
    assert bill.day("a", MIDNIGHT_S + 5).posts == 1
    assert bill.days("b") == []
