"""Ask for searches: one page of one query after the other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from traptor.common.errors import TraptorError
from traptor.common.messages import SearchPiece
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.due import DueFill, asked_of
from traptor.supervisor.fills.paces import Paces
from traptor.supervisor.fills.pieces.course import Pause
from traptor.supervisor.fills.pieces.queries import (
    Plan,
    Query,
    dump_plan,
    is_wanted,
    load_plan,
    plan_of,
)
from traptor.supervisor.fills.pieces.room import MOST
from traptor.supervisor.fills.pieces.window import window
from traptor.supervisor.fills.purse import Purse
from traptor.supervisor.fills.record import FillRecord, about
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.workers.spec import connect_message

log = logging.getLogger(__name__)

_NOTHING_TO_ASK = "none of the rules of that time can be searched now"

# Returns the Redis keys of the rules that a connection carried in a period. Raises TraptorError.
Carried = Callable[[str, Period], Awaitable[frozenset[str]]]


class Searches:
    """Plans the queries of a fill when it begins, and asks for their pages at the app's pace."""

    def __init__(
        self,
        context: Context,
        record: FillRecord,
        purse: Purse,
        paces: Paces,
        carried: Carried,
        clock: Callable[[], Instant],
    ) -> None:
        self._context = context
        self._record = record
        self._purse = purse
        self._paces = paces
        self._carried = carried
        self._clock = clock

    async def ask(self, due: DueFill) -> bool:
        """Ask for the next page where that may be; return False for a query that nobody wants any more."""
        plan = await self._plan(due)
        if plan is None or asked_of(due.c) is not due.g:
            return True
        fill = self._record.now(due.fill)
        query = plan.queries[fill.step]
        if not fill.token and not is_wanted(query, due.app.filtering.groups or ()):
            self._record.put(fill.fetched(""))
            return False
        self._ask(due, fill, query)
        return True

    def _ask(self, due: DueFill, fill: Fill, query: Query) -> None:
        app = due.app
        posts = self._purse.allot(due, MOST)
        if not posts:
            return
        start, end = window(fill)
        asked = due.course.ask(fill.id, due.worker, posts, self._clock().mono)
        piece = SearchPiece(
            number=asked.number,
            fill=fill.id,
            connect=connect_message(app.key, app.token),
            query=query.text,
            start_time=start,
            end_time=end,
            max_results=posts,
            token=fill.token,
            meanings=query.meanings,
        )
        self._paces.made(app.key)
        self._context.fleet.fetch(due.g, piece)

    async def _plan(self, due: DueFill) -> Plan | None:
        """Return the queries of a fill, made when it begins; None: there is nothing to ask now."""
        fill, book = due.fill, self._record.book
        if (kept := book.plan_of(fill)) is not None:
            try:
                return load_plan(kept)
            except TraptorError as error:
                self._give_up(fill, str(error))
                return None
        groups = due.app.filtering.groups
        if groups is None:
            return None
        try:
            keys = await self._carried(due.c.name, Period(fill.from_unix - 1.0, fill.to_unix))
        except TraptorError as error:
            due.course.pause = Pause(str(error))
            return None
        if fill not in book.open(due.c.name):
            return None  # meanwhile it became another one, perhaps of a longer stretch
        if not keys:
            self._record.put(fill.without_posts("no rule was carried then", self._clock().wall))
            return None
        plan = plan_of(groups, keys.__contains__)
        if not plan.queries:
            self._give_up(fill, "; ".join(plan.missed) or _NOTHING_TO_ASK)
            return None
        self._begin(due, plan)
        return plan

    def _begin(self, due: DueFill, plan: Plan) -> None:
        fill = due.fill
        self._record.begin(fill.begun(len(plan.queries), self._clock().wall), dump_plan(plan))
        asked = {"queries": len(plan.queries), "missed": list(plan.missed) or None}
        log.info("a gap is being filled", extra=about(fill, **asked, **self._purse.price(due.app, fill)))

    def _give_up(self, fill: Fill, why: str) -> None:
        self._record.put(fill.given_up(why, self._clock().wall))
