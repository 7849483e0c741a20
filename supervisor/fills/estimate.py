"""What it costs to fill a gap, said beforehand: an estimate by the posts that came before it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from traptor.supervisor.money.reads import Expand, Prices, price_of_1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """Posts of a gap, and their price when all are plain."""

    posts: int
    dollars: float


def estimate(seconds: float, posts_per_s: float, prices: Prices, expand: Expand) -> Estimate:
    """Return what a gap of so many seconds costs at so many posts a second."""
    posts = round(seconds * posts_per_s)
    return Estimate(posts, round(posts * price_of_1000(prices, expand).plain / 1_000, 2))


def usual_rate(minutes: Sequence[float], now: float | None) -> float | None:
    """Return the posts a second of the last hour, or of the last minute; None where nothing is known."""
    return sum(minutes) / len(minutes) if minutes else now


def dollars_a_post(prices: Prices, expand: Expand) -> float:
    """Return the most that a post usually costs, so that a page stays below a cap."""
    return price_of_1000(prices, expand).with_another / 1_000
