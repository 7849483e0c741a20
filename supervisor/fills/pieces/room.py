"""How many posts the next piece may ask for, by what the caps leave. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.money.account import Account
from traptor.supervisor.money.caps import CapKind, spent

FILL_CAP = "fill_daily_dollars"
LEAST, MOST = 10, 500  # posts on a page: X, "Full-archive search"


@dataclass(frozen=True, slots=True)
class Room:
    """What may be asked for: `posts`, or none, because of a cap, until a Unix time."""

    posts: int
    why: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class _Left:
    cap: str
    posts: float
    until: float


def room(
    account: Account,
    terms: Terms,
    fill_cap: float | None,
    filled_today: float,
    dollars_a_post: float,
    most: int = MOST,
) -> Room:
    """Return the room that the account's caps and that of fills leave, at most `most` posts."""
    least = min(_left(account, terms, fill_cap, filled_today, dollars_a_post), key=lambda one: one.posts)
    posts = math.floor(min(most, least.posts + 1e-9))
    if posts >= LEAST:
        return Room(posts)
    return Room(0, f"{least.cap} is used up", least.until)


def share(posts: int, among: int) -> int:
    """Return what one of several jobs may bring of these posts; none has less than X gives on a page."""
    return max(posts // among, min(posts, LEAST))


def _left(
    account: Account, terms: Terms, fill_cap: float | None, filled_today: float, dollars_a_post: float
) -> Iterator[_Left]:
    def bought(dollars: float) -> float:
        return dollars / dollars_a_post if dollars_a_post > 0 else math.inf

    yield _Left("", math.inf, account.day_ends_at)
    if fill_cap is not None:
        yield _Left(FILL_CAP, bought(fill_cap - filled_today), account.day_ends_at)
    for one in spent(account, terms.caps, terms.prices):
        left = one.cap - one.used
        posts = left if one.kind is CapKind.DAILY_POSTS else bought(left)
        yield _Left(one.kind, posts, one.ends_at)
