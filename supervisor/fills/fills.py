"""Have the gaps of v2 connections filled: ask their workers for one piece after the other.

X takes one search at a time, and two recovery jobs, which are of two fills. The posts of a piece are in the
outbox when its answer comes; only then is the progress recorded. So a kill at any time repeats the piece of
each, and the worker drops what was delivered before.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from traptor.common.config.kinds.v2 import NO_FILLS
from traptor.common.fills import FillMethod
from traptor.common.messages import BACKFILLED, Disconnected, PieceFetched
from traptor.supervisor.apps.app import App
from traptor.supervisor.apps.apps import Apps
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.answers import Answers
from traptor.supervisor.fills.backfills import Backfills
from traptor.supervisor.fills.due import DueFill, asked_of, worker_of, workers_of
from traptor.supervisor.fills.jobs import RecoveryJobs, at_once
from traptor.supervisor.fills.overview import overview
from traptor.supervisor.fills.paces import Paces
from traptor.supervisor.fills.pieces.course import Course, Pause
from traptor.supervisor.fills.pieces.room import MOST
from traptor.supervisor.fills.purse import Purse, Rates
from traptor.supervisor.fills.record import FillRecord
from traptor.supervisor.fills.searches import Carried, Searches
from traptor.supervisor.fills.untold import UntoldPieces
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.gaps.interval import Instant, instant
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.money.reads import Prices
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.leftovers import first_of, is_second
from traptor.supervisor.xapi.quota import quota_of

_LOOK_S = 5.0


def now() -> Instant:
    """Return this moment."""
    return instant(time.monotonic())


class Fills:
    """Owns the courses by connection; `wrote` has the ledger written soon."""

    def __init__(
        self,
        context: Context,
        apps: Apps,
        book: FillBook,
        carried: Carried,
        wrote: Callable[[], object],
        rates: Rates,
        clock: Callable[[], Instant] = now,
    ) -> None:
        self._context = context
        self._apps = apps
        self._book = book
        self._wrote = wrote
        self._clock = clock
        record = FillRecord(book, wrote)
        self._purse = Purse(context, book, rates, clock)
        self._paces = Paces(context.store, clock)
        self._searches = Searches(context, record, self._purse, self._paces, carried, clock)
        self._jobs = RecoveryJobs(context, record, self._purse, clock)
        self._backfills = Backfills(context, book, record.put, clock)
        self._answers = Answers(record, self._streams, lambda key_id: context.slots.taken(key_id), clock)
        self._untold = UntoldPieces(context.settings.supervisor.state_dir, book, self._prices_of)
        self._courses: dict[str, Course] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Fill gaps until cancelled."""
        self._untold.find({g.name for g in self._context.fleet.generations})
        while True:
            self._news.clear()
            self.settle()
            due_s = _LOOK_S
            for c in list(self._context.connections.values()):
                if c.app is None or is_second(c.name):
                    continue  # an app's gaps are those of its first connection
                if (app := self._apps.get(c.app)) is not None:
                    due_s = min(due_s, await self.turn(c, app))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due_s)):
                    await self._news.wait()

    def settle(self) -> None:
        """Book what killed workers had delivered for gaps and not told."""
        if self._untold.settle():
            self._wrote()

    # ---- told by the workers

    def ended(self, g: Generation) -> None:
        """Take note that a worker's process is gone."""
        self._untold.ended(worker_of(g))
        self._news.set()

    def fetched(self, g: Generation, answer: PieceFetched) -> None:
        """Take the answer of a worker."""
        name = first_of(g.birth.connection)
        app = self._app_of(name)
        if answer.number == BACKFILLED:
            self._answers.take_backfill(self._backfills.over(g), app, g, answer)
            self._news.set()
            return
        course = self._course(name)
        asked = course.take(answer.number, worker_of(g))
        fill = self._book.named(asked.fill) if asked is not None else None
        if fill is None or not fill.is_open or app is None:
            return
        if fill.method is FillMethod.SEARCH:
            self._paces.answered(app.key, quota_of(answer.headers))
        self._answers.take(fill, app, course, g, answer)
        self._news.set()

    def minutes(self, c: Connection, now: float) -> int:
        """Return how many minutes of the past the stream that is permitted now has to bring."""
        minutes, app = self._backfills.minutes(c, now), self._app_of(c.name)
        is_paid = minutes > 0 and app is not None and self._purse.room(app, c.name, MOST).posts > 0
        return minutes if is_paid else 0

    def refused(self, g: Generation, message: Disconnected) -> bool:
        """Tell whether X refused a connect for the minutes that it asked for."""
        return self._backfills.refused(g, message)

    def connected(self, g: Generation, at: float) -> None:
        """Record that a stream opened, which may bring posts of the past."""
        self._backfills.connected(g, at)

    # ---- the work

    async def turn(self, c: Connection, app: App) -> float:
        """Ask for the next piece of this connection where that may be; return in how many seconds to look."""
        now, course, g = self._clock(), self._course(c.name), asked_of(c)
        course.forget(workers_of(c), now.mono)
        fill = self._next(c, course)
        if fill is None or len(course.under_way) >= at_once(fill.method):
            if not course.under_way:
                course.pause = None
            return _LOOK_S
        if (settled_s := fill.to_unix + self._context.settings.twitter.fill_after - now.wall) > 0:
            return settled_s
        if g is None or (hindrance := self._hindrance(app, g)) is not None:
            course.pause = _NO_STREAM if g is None else hindrance
            return _LOOK_S
        if (wait_s := self._due(course, fill, app) - now.mono) > 0:
            return wait_s
        due = DueFill(c, app, course, fill, g)
        if fill.method is not FillMethod.SEARCH:
            return self._jobs.ask(due)
        return _LOOK_S if await self._searches.ask(due) else 0.0

    # ---- answers

    def status(self) -> dict[str, Any]:
        """Return the fills that are open, the last final ones, and why they wait."""
        return overview(self._context.settings.twitter, self._book, self._courses, self._clock().wall)

    def jobs(self, key_id: str) -> list[float]:
        """Return when the recovery jobs were asked for that an app has now (Unix time)."""
        now = self._clock()
        return [
            now.wall - (now.mono - piece.at)
            for name, course in self._courses.items()
            if (app := self._app_of(name)) is not None and app.key.key_id == key_id
            for piece in course.under_way
            if (fill := self._book.named(piece.fill)) is not None and fill.method is not FillMethod.SEARCH
        ]

    # ---- steps

    def _hindrance(self, app: App, g: Generation) -> Pause | None:
        """Return why an app's gaps cannot be filled now by this generation, or None."""
        if self._context.settings.twitter.fill_gaps == NO_FILLS:
            return Pause("fill_gaps is no")
        if not g.streams or self._context.stopping:
            return _NO_STREAM
        hold = app.hold()
        return None if hold is None else Pause(hold.text, hold.until)

    def _due(self, course: Course, fill: Fill, app: App) -> float:
        """Return when the next piece may be asked for (monotonic seconds)."""
        pace = self._paces.due(app.key) if fill.method is FillMethod.SEARCH else 0.0
        return max(course.not_before, pace)

    def _next(self, c: Connection, course: Course) -> Fill | None:
        """Return the earliest gap whose posts neither a stream nor a piece is bringing."""
        asked = {piece.fill for piece in course.under_way}
        for one in self._book.open(c.name):
            if not self._backfills.brings(one, c.serving) and one.id not in asked:
                return self._book.named(one.id)
        return None

    def _course(self, name: str) -> Course:
        return self._courses.setdefault(name, Course())

    def _app_of(self, name: str) -> App | None:
        c = self._context.connections.get(name)
        return self._apps.get(c.app) if c is not None and c.app is not None else None

    def _prices_of(self, name: str) -> Prices | None:
        app = self._app_of(name)
        return None if app is None else app.spending.terms.prices

    def _streams(self, name: str) -> bool:
        c = self._context.connections.get(name)
        g = asked_of(c) if c is not None else None
        return g is not None and g.streams


_NO_STREAM = Pause("its connection does not stream")
