"""Reads by kind as X bills them, and their price."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from traptor.common.counts import Counters
from traptor.common.files.reads import ReadCounts


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for one read, as of X's price list; settings, since they change."""

    post: float = 0.005
    user: float = 0.010


@dataclass(frozen=True, slots=True)
class Reads:
    """What was delivered to an app in some time.

    A post counts once per UTC day, where it came first: as a line's own or in its includes; a user in
    includes counts each time.
    """

    posts: int = 0
    included_posts: int = 0
    included_users: int = 0
    foreign: int = 0  # of `posts`, those that foreign filters alone found

    def __add__(self, other: Reads) -> Reads:
        return Reads(
            self.posts + other.posts,
            self.included_posts + other.included_posts,
            self.included_users + other.included_users,
            self.foreign + other.foreign,
        )

    def beyond(self, other: Reads) -> Reads:
        """Return by how much it exceeds another, kind by kind."""
        return Reads(
            max(0, self.posts - other.posts),
            max(0, self.included_posts - other.included_posts),
            max(0, self.included_users - other.included_users),
            max(0, self.foreign - other.foreign),
        )

    @property
    def billed_posts(self) -> int:
        """Return the posts that X bills."""
        return self.posts + self.included_posts

    def dollars(self, prices: Prices) -> float:
        """Return the price."""
        return self.billed_posts * prices.post + self.included_users * prices.user


def reads_of(counts: ReadCounts) -> Reads:
    """Return what one generation kept of its reads."""
    return Reads(
        posts=counts.posts,
        included_posts=counts.included_posts,
        included_users=counts.included_users,
        foreign=counts.foreign,
    )


def reported_reads(counters: Counters) -> Reads:
    """Return what one generation read, by its last report."""
    return reads_of(ReadCounts(**counters.reads, foreign=counters.foreign))


class Expand(StrEnum):
    """Which objects come along with a post."""

    NONE = "none"
    POSTS = "posts"
    USERS = "users"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class PriceOf1000:
    """Dollars for 1,000 posts: when all are plain, and when all repost or quote one other post.

    Each user who is mentioned adds one read where users come along.
    """

    plain: float
    with_another: float


def price_of_1000(prices: Prices, expand: Expand) -> PriceOf1000:
    """Return what 1,000 posts cost with these objects."""
    has_posts = expand in (Expand.POSTS, Expand.ALL)
    has_users = expand in (Expand.USERS, Expand.ALL)
    plain = Reads(1_000, 0, 1_000 if has_users else 0)
    other = Reads(0, 1_000 if has_posts else 0, 1_000 if has_users else 0)
    return PriceOf1000(round(plain.dollars(prices), 6), round((plain + other).dollars(prices), 6))


def observed_price_of_1000(prices: Prices, seen: Reads) -> float | None:
    """Return what 1,000 posts cost by what was delivered so far; None before the first."""
    return round(seen.dollars(prices) / seen.posts * 1_000, 6) if seen.posts else None
