"""What the filling of gaps may cost now, and what it will cost, said beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from traptor.supervisor.apps.app import App
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.estimate import dollars_a_post, estimate, usual_rate
from traptor.supervisor.fills.room import Room, room
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.money.reads import Expand

# Returns the posts a second of a connection: of each minute of the last hour, and now.
Rates = Callable[[str], tuple[Sequence[float], float | None]]


class Purse:
    """Answers by the settings, the accounts of the apps and what the fills of today have cost."""

    def __init__(self, context: Context, book: FillBook, rates: Rates, clock: Callable[[], Instant]) -> None:
        self._context = context
        self._book = book
        self._rates = rates
        self._clock = clock

    def room(self, app: App, connection: str, most: int) -> Room:
        """Return how many posts a piece may bring, at most `most`."""
        wall, terms = self._clock().wall, app.spending.terms
        return room(
            app.spending.account.at(wall),
            terms,
            self._context.settings.twitter.fill_daily_dollars,
            self._book.spent(connection, wall),
            dollars_a_post(terms.prices, self._expand),
            most,
        )

    def price(self, app: App, fill: Fill) -> dict[str, Any]:
        """Return what is said of the price before a gap is filled."""
        about: dict[str, Any] = {}
        rate = usual_rate(*self._rates(fill.connection))
        if rate is not None:
            found = estimate(fill.seconds, rate, app.spending.terms.prices, self._expand)
            about |= {"posts_about": found.posts, "dollars_about": found.dollars}
        return about | {"at_most_a_day": self._context.settings.twitter.fill_daily_dollars}

    @property
    def _expand(self) -> Expand:
        return Expand(self._context.settings.traptor.expand)
