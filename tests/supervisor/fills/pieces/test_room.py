"""How many posts a piece may ask for, by what the caps leave."""

from __future__ import annotations

import pytest

from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.fills.pieces.room import Room, room
from traptor.supervisor.money.account import Account
from traptor.supervisor.money.caps import Caps
from traptor.supervisor.money.reads import Reads

NOON = 1_790_000_000.0
ACCOUNT = Account.opened(NOON).add(Reads(posts=100), NOON)  # $0.50
DAY_ENDS, MONTH_ENDS = ACCOUNT.day_ends_at, ACCOUNT.month_ends_at


@pytest.mark.parametrize(
    ("caps", "fill_cap", "filled", "price", "expected"),
    [
        (Caps(), None, 0.0, 0.005, Room(500)),
        (Caps(), 10.0, 0.0, 0.005, Room(500)),
        (Caps(), 10.0, 9.0, 0.005, Room(200)),
        (Caps(), 10.0, 9.0, 0.030, Room(33)),
        (Caps(), 10.0, 9.95, 0.005, Room(10)),
        (Caps(), 10.0, 9.96, 0.005, Room(0, "fill_daily_dollars is used up", DAY_ENDS)),
        (Caps(), 10.0, 12.0, 0.005, Room(0, "fill_daily_dollars is used up", DAY_ENDS)),
        (Caps(daily_posts=150), 10.0, 0.0, 0.005, Room(50)),
        (Caps(daily_posts=105), 10.0, 0.0, 0.005, Room(0, "daily_posts is used up", DAY_ENDS)),
        (Caps(daily_dollars=0.60), 10.0, 0.0, 0.005, Room(20)),
        (Caps(daily_dollars=0.50), 10.0, 0.0, 0.005, Room(0, "daily_dollars is used up", DAY_ENDS)),
        (Caps(monthly_dollars=0.50), 10.0, 0.0, 0.005, Room(0, "monthly_dollars is used up", MONTH_ENDS)),
        (Caps(), 10.0, 0.0, 0.0, Room(500)),
    ],
)
def test_the_least_of_what_the_caps_leave_counts(
    caps: Caps, fill_cap: float | None, filled: float, price: float, expected: Room
) -> None:
    assert room(ACCOUNT, Terms(caps=caps), fill_cap, filled, price) == expected
