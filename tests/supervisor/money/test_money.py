"""Reads are counted by UTC day and billing month, priced, and held against caps, over restarts."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traptor.common.errors import TraptorError
from traptor.sandbox.v2.bill import Day
from traptor.sandbox.v2.bill import Prices as SandboxPrices
from traptor.sandbox.v2.posts import Reads as SandboxReads
from traptor.supervisor.money.account import Account, dump_account, load_account
from traptor.supervisor.money.caps import CapKind, Caps, capped, crossed
from traptor.supervisor.money.reads import Expand, Prices, Reads, observed_price_of_1000, price_of_1000

PRICES = Prices()
READS = st.builds(Reads, *[st.integers(0, 10**6)] * 3)


def unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOON = unix("2026-11-28T12:00:00")


# ---- prices


@pytest.mark.parametrize(
    ("expand", "plain", "with_another"),
    [
        (Expand.NONE, 5.0, 5.0),
        (Expand.POSTS, 5.0, 10.0),
        (Expand.USERS, 15.0, 25.0),
        (Expand.ALL, 15.0, 30.0),
    ],
)
def test_the_price_of_1000_posts(expand: Expand, plain: float, with_another: float) -> None:
    price = price_of_1000(PRICES, expand)
    assert (price.plain, price.with_another) == (plain, with_another)


def test_the_price_by_what_was_delivered() -> None:
    assert observed_price_of_1000(PRICES, Reads(100, 50, 100)) == 17.5
    assert observed_price_of_1000(PRICES, Reads()) is None


def test_a_day_costs_what_the_sandbox_bills() -> None:
    day = Day("one", "2026-11-28")
    day.add(SandboxReads(post_id="1", included_posts=("2", "3"), included_users=2))
    assert Reads(1, 2, 2).dollars(PRICES) == pytest.approx(day.dollars(SandboxPrices()))


# ---- days and months


def test_a_new_utc_day_begins_at_zero_and_the_month_goes_on() -> None:
    account = Account.opened(NOON).add(Reads(posts=10), unix("2026-11-28T23:59:59"))
    assert account.today.posts == 10
    assert account.day_ends_at == unix("2026-11-29T00:00:00")
    account = account.add(Reads(posts=1), unix("2026-11-29T00:00:00"))
    assert (account.today.posts, account.month.posts) == (1, 11)
    account = account.at(unix("2026-12-01T00:00:00"))
    assert (account.today.posts, account.month.posts) == (0, 0)


@pytest.mark.parametrize(
    ("now", "reset_day", "month_from", "ends"),
    [
        ("2026-11-28T12:00:00", 1, date(2026, 11, 1), "2026-12-01T00:00:00"),
        ("2026-11-14T23:59:59", 15, date(2026, 10, 15), "2026-11-15T00:00:00"),
        ("2026-11-15T00:00:00", 15, date(2026, 11, 15), "2026-12-15T00:00:00"),
        ("2026-01-03T00:00:00", 28, date(2025, 12, 28), "2026-01-28T00:00:00"),
        ("2026-02-27T00:00:00", 31, date(2026, 1, 28), "2026-02-28T00:00:00"),
        ("2024-02-29T00:00:00", 0, date(2024, 2, 1), "2024-03-01T00:00:00"),
    ],
)
def test_a_billing_month_begins_on_its_day(now: str, reset_day: int, month_from: date, ends: str) -> None:
    account = Account.opened(unix(now), reset_day)
    assert account.month_from == month_from
    assert account.month_ends_at == unix(ends)


def test_what_x_says_of_the_month_keeps_the_counts() -> None:
    account = Account.opened(NOON).add(Reads(posts=5), NOON).resetting_on(20)
    assert account.month_from == date(2026, 11, 20)
    assert account.month.posts == 5


@given(st.lists(st.tuples(READS, st.integers(0, 86_400)), max_size=20), READS)
def test_no_read_is_lost_within_a_day(many: list[tuple[Reads, int]], more: Reads) -> None:
    account, total = Account.opened(NOON), Reads()
    midnight = unix("2026-11-28T00:00:00")
    for reads, second in sorted(many, key=lambda one: one[1]):
        account = account.add(reads, midnight + min(second, 86_399))
        total += reads
    assert account.today == account.month == total
    # A clock that is set back, by an hour or by a year, gives nothing back.
    for back in (midnight - 1, unix("2025-03-01T00:00:00")):
        assert account.add(more, back).today == total + more
        assert account.add(more, back).month == total + more


def test_a_clock_that_ran_far_ahead_closes_nothing_for_years() -> None:
    account = Account.opened(unix("2036-01-01T00:00:00")).add(Reads(posts=9), unix("2036-01-01T00:00:00"))
    account = account.at(NOON)
    assert account.today.posts == 9
    assert account.day_ends_at == unix("2026-11-29T00:00:00")


# ---- caps


CAPS = Caps(daily_posts=1_000, daily_dollars=20.0, monthly_dollars=100.0)


def test_a_cap_is_reached_at_its_number_and_until_the_end_of_its_day() -> None:
    account = Account.opened(NOON).add(Reads(posts=999), NOON)
    assert capped(account, CAPS, PRICES) is None
    reached = capped(account.add(Reads(posts=1), NOON), CAPS, PRICES)
    assert reached
    assert (reached.kind, reached.ends_at) == (CapKind.DAILY_POSTS, unix("2026-11-29T00:00:00"))
    assert capped(account.add(Reads(posts=1), NOON).at(NOON + 86_400), CAPS, PRICES) is None


def test_posts_in_includes_count_as_posts() -> None:
    account = Account.opened(NOON).add(Reads(500, 500), NOON)
    assert capped(account, Caps(daily_posts=1_000), PRICES)


def test_of_several_reached_caps_the_longest_counts() -> None:
    reached = capped(Account.opened(NOON).add(Reads(posts=20_000), NOON), CAPS, PRICES)
    assert reached
    assert reached.kind is CapKind.MONTHLY_DOLLARS


def test_a_raised_cap_opens_again_and_no_cap_never_closes() -> None:
    account = Account.opened(NOON).add(Reads(posts=1_000), NOON)
    assert capped(account, Caps(daily_posts=2_000), PRICES) is None
    assert capped(account, Caps(), PRICES) is None
    assert capped(Account.opened(NOON), Caps(daily_posts=0), PRICES)


def test_a_dollar_is_a_dollar_however_it_was_summed() -> None:
    account = Account.opened(NOON)
    for _ in range(100):
        account = account.add(Reads(0, 0, 1), NOON)
    assert capped(account, Caps(daily_dollars=1.0), PRICES)


def test_each_line_is_told_once_also_over_restarts() -> None:
    account, told = Account.opened(NOON), []
    for _ in range(12):
        before = load_account(json.loads(json.dumps(dump_account(account))))
        account = before.add(Reads(posts=100), NOON)
        told += [line.percent for line in crossed(before, account, Caps(daily_posts=1_000), PRICES)]
    assert told == [50, 80, 95]


def test_of_lines_crossed_at_once_the_highest_is_told() -> None:
    before = Account.opened(NOON)
    lines = list(crossed(before, before.add(Reads(posts=960), NOON), CAPS, PRICES))
    assert [(line.spent.kind, line.percent) for line in lines] == [(CapKind.DAILY_POSTS, 95)]


def test_lines_are_told_anew_each_day() -> None:
    before = Account.opened(NOON).add(Reads(posts=600), NOON)
    after = before.add(Reads(posts=600), NOON + 86_400)
    assert [line.percent for line in crossed(before, after, CAPS, PRICES)] == [50]


# ---- kept


@given(READS, st.integers(1, 28))
def test_an_account_survives_a_restart(reads: Reads, reset_day: int) -> None:
    account = Account.opened(NOON, reset_day).add(reads, NOON)
    assert load_account(json.loads(json.dumps(dump_account(account)))) == account


@pytest.mark.parametrize("change", [{"day": 7}, {"reset_day": 31}, {"today": {"posts": -1}}])
def test_what_is_no_dump_is_refused(change: dict[str, object]) -> None:
    dump = dump_account(Account.opened(NOON)) | change
    with pytest.raises(TraptorError, match="cannot be read"):
        load_account(dump)
