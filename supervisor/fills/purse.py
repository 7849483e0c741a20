"""What the filling of gaps may cost now, and what it will cost, said beforehand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from traptor.supervisor.apps.app import App
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.due import DueFill
from traptor.supervisor.fills.estimate import dollars_a_post, estimate, usual_rate
from traptor.supervisor.fills.pieces.course import Pause
from traptor.supervisor.fills.pieces.room import LEAST, Room, room, share
from traptor.supervisor.fills.record import about
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.money.reads import Expand

log = logging.getLogger(__name__)

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

    def allot(self, due: DueFill, most: int, among: int = 1) -> int:
        """Return how many posts a piece may bring; 0: a cap is reached, and the course pauses.

        So many pieces share what the caps leave beside those under way, which the account may hold in part.
        """
        course, fill = due.course, due.fill
        spoken_for = course.posts_under_way
        left = self.room(due.app, fill.connection, most * among + spoken_for)
        if left.posts - spoken_for >= LEAST:
            return min(most, share(left.posts - spoken_for, among))
        if not spoken_for:
            if course.pause is None or course.pause.why != left.why:
                log.warning("gaps wait for money", extra=about(fill, why=left.why))
            course.pause = Pause(left.why, left.until)
        return 0

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
