"""Caps on what an app may cost: whether one is reached, until when, and which lines were crossed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from traptor.supervisor.money.account import Account
from traptor.supervisor.money.reads import Prices

LINES = (50, 80, 95)  # percent


class CapKind(StrEnum):
    """The operator's caps, by the names of their options."""

    DAILY_POSTS = "daily_posts"
    DAILY_DOLLARS = "daily_dollars"
    MONTHLY_DOLLARS = "monthly_dollars"


@dataclass(frozen=True, slots=True)
class Caps:
    """What an app may read or cost; None: no cap."""

    daily_posts: int | None = None
    daily_dollars: float | None = None
    monthly_dollars: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """How far a cap is used."""

    kind: CapKind
    used: float
    cap: float
    ends_at: float  # Unix time at which counting begins anew

    @property
    def is_reached(self) -> bool:
        """Whether nothing more may be read."""
        return self.used >= self.cap

    @property
    def percent(self) -> float:
        """How much of the cap is used."""
        return 100.0 if self.cap <= 0 else self.used / self.cap * 100.0


@dataclass(frozen=True, slots=True)
class CapLine:
    """A cap of which a share was used up just now."""

    spent: Spent
    percent: int


def spent(account: Account, caps: Caps, prices: Prices) -> tuple[Spent, ...]:
    """Return how far each cap is used."""
    # Rounded to a hundredth of a cent: sums of prices are not exact, and a cap of $1 is reached at $1.
    today, month = (round(one.dollars(prices), 4) for one in (account.today, account.month))
    rows = (
        (CapKind.DAILY_POSTS, account.today.billed_posts, caps.daily_posts, account.day_ends_at),
        (CapKind.DAILY_DOLLARS, today, caps.daily_dollars, account.day_ends_at),
        (CapKind.MONTHLY_DOLLARS, month, caps.monthly_dollars, account.month_ends_at),
    )
    return tuple(Spent(kind, used, cap, ends_at) for kind, used, cap, ends_at in rows if cap is not None)


def capped(account: Account, caps: Caps, prices: Prices) -> Spent | None:
    """Return the reached cap that lasts longest; None while the app may read on."""
    reached = [one for one in spent(account, caps, prices) if one.is_reached]
    return max(reached, key=lambda one: one.ends_at, default=None)


def crossed(before: Account, after: Account, caps: Caps, prices: Prices) -> Iterator[CapLine]:
    """Yield the highest line of each cap that lies between two states of an account."""
    earlier = {one.kind: one for one in spent(before, caps, prices)}
    for now in spent(after, caps, prices):
        was = earlier[now.kind]
        known = was.percent if was.ends_at == now.ends_at else 0.0
        new = [line for line in LINES if known < line <= now.percent]
        if new:
            yield CapLine(now, new[-1])
