"""The amount that X would charge each app for a UTC day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from traptor.sandbox.v2.posts import Reads


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for one read of each kind."""

    post: float = 0.005
    user: float = 0.010


@dataclass(slots=True)
class Day:
    """The reads of one app on one UTC day.

    A post counts once, where it came first: as the line's own or in its includes. A user in includes counts
    each time.
    """

    app: str
    date: str
    lines: int = 0
    posts: int = 0
    included_posts: int = 0
    included_users: int = 0
    looked_up_users: int = 0
    _seen: set[str] = field(default_factory=set, repr=False)

    def add(self, reads: Reads) -> None:
        """Count one line."""
        self.lines += 1
        self.posts += self._is_first(reads.post_id)
        self.included_posts += sum([self._is_first(post_id) for post_id in reads.included_posts])
        self.included_users += reads.included_users

    def dollars(self, prices: Prices) -> float:
        """Return the price of the day."""
        return round((self.posts + self.included_posts) * prices.post + self._users * prices.user, 6)

    def as_json(self, prices: Prices) -> dict[str, Any]:
        """Return the day as the API shows it."""
        return {
            "app": self.app,
            "day": self.date,
            "lines": self.lines,
            "posts": self.posts,
            "included_posts": self.included_posts,
            "included_users": self.included_users,
            "looked_up_users": self.looked_up_users,
            "dollars": self.dollars(prices),
        }

    @property
    def _users(self) -> int:
        return self.included_users + self.looked_up_users

    def _is_first(self, post_id: str) -> bool:
        before = len(self._seen)
        self._seen.add(post_id)
        return len(self._seen) > before


class Bill:
    """Counts per app and UTC day; each post id is charged once per day and app."""

    def __init__(self, prices: Prices | None = None) -> None:
        self.prices = prices or Prices()
        self._days: dict[tuple[str, str], Day] = {}

    def add(self, app: str, reads: Reads, now_unix_s: float) -> None:
        """Charge an app for a line that was written to its stream."""
        self.day(app, now_unix_s).add(reads)

    def day(self, app: str, now_unix_s: float) -> Day:
        """Return what an app read so far on the day of this moment."""
        date = f"{datetime.fromtimestamp(now_unix_s, UTC):%Y-%m-%d}"
        return self._days.setdefault((app, date), Day(app, date))

    def days(self, app: str) -> list[Day]:
        """Return the days of an app, the earliest first."""
        return sorted((day for day in self._days.values() if day.app == app), key=lambda day: day.date)

    def as_json(self) -> list[dict[str, Any]]:
        """Return a row per app and day."""
        return [self._days[key].as_json(self.prices) for key in sorted(self._days)]
