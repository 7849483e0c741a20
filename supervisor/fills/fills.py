"""Have the gaps of v2 connections filled: ask their workers for one piece after the other.

X takes one search at a time, and two recovery jobs, which are of two fills. The posts of a piece are in the
outbox when its answer comes; only then is the progress recorded. So a kill at any time repeats the piece of
each, and the worker drops what was delivered before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from traptor.common.config.kinds.v2 import NO_FILLS
from traptor.common.errors import TraptorError
from traptor.common.files.fillreads import FillReads
from traptor.common.fills import OF_BACKFILLS, FillMethod
from traptor.common.logs.event import fields
from traptor.common.messages import BACKFILLED, Disconnected, PieceFetched, SearchPiece
from traptor.supervisor.apps.app import App
from traptor.supervisor.apps.apps import Apps
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.backfills import Backfills
from traptor.supervisor.fills.course import Course, Failures, Pause, Worker
from traptor.supervisor.fills.jobs import APART_S, HALVED_S, MOST_POSTS, RecoveryJobs, at_once
from traptor.supervisor.fills.overview import overview
from traptor.supervisor.fills.paces import Paces
from traptor.supervisor.fills.purse import Purse, Rates
from traptor.supervisor.fills.queries import Plan, Query, dump_plan, is_wanted, load_plan, plan_of
from traptor.supervisor.fills.room import LEAST, MOST, share
from traptor.supervisor.fills.untold import UntoldPieces, reads_of_fill
from traptor.supervisor.fills.verdict import Consequence, FillVerdict, settled, verdict
from traptor.supervisor.fills.window import recovery_window, window
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.gaps.interval import Instant, instant, iso
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.ledger.question import Period
from traptor.supervisor.money.reads import Prices
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.leftovers import first_of, is_second
from traptor.supervisor.workers.spec import connect_message
from traptor.supervisor.xapi.quota import quota_of

log = logging.getLogger(__name__)

_LOOK_S = 5.0
_TOO_OLD = "it is older than the 24 hours that X recovers"
_NOTHING_TO_ASK = "none of the rules of that time can be searched now"

# Returns the Redis keys of the rules that a connection carried in a period. Raises TraptorError.
Carried = Callable[[str, Period], Awaitable[frozenset[str]]]


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
        self._carried = carried
        self._wrote = wrote
        self._purse = Purse(context, book, rates, clock)
        self._untold = UntoldPieces(context.settings.supervisor.state_dir, book, self._prices_of)
        self._jobs = RecoveryJobs(context)
        self._paces = Paces(context.store, clock)
        self._backfills = Backfills(context, book, self._record, clock)
        self._clock = clock
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
        self._untold.ended(g.birth.connection, g.birth.generation)
        self._news.set()

    def fetched(self, g: Generation, answer: PieceFetched) -> None:
        """Take the answer of a worker."""
        if answer.number == BACKFILLED:
            self._backfilled(g, answer)
            return
        name, now = first_of(g.birth.connection), self._clock()
        course = self._course(name)
        asked = course.take(answer.number, _worker(g))
        app = self._app_of(name)
        fill = next((one for one in self._book.open(name) if asked and one.id == asked.fill), None)
        if fill is None or app is None:
            return
        if fill.method is FillMethod.SEARCH:
            self._paces.answered(app.key, quota_of(answer.headers))
        failures = course.failures(fill.id)
        if fill.method is not FillMethod.SEARCH:
            answer = settled(fill, answer, failures.count)
        found = verdict(answer, failures.count, now.wall, failures.last_status)
        self._conclude(fill, app, course, g, answer, found)
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

    def _backfilled(self, g: Generation, answer: PieceFetched) -> None:
        app, wall = self._app_of(g.birth.connection), self._clock().wall
        told = _told_by(answer)
        dollars = 0.0 if app is None else reads_of_fill(told).dollars(app.spending.terms.prices)
        self._book.paid(g.birth.connection, dollars, wall)
        self._book.tell(OF_BACKFILLS, g.name, told)
        # Of several gaps that one stream filled, the first is said to have brought all.
        for number, fill in enumerate(self._backfills.over(g)):
            got = fill.got(0, 0.0, wall) if number else fill.got(answer.new, dollars, wall)
            self._record(got.fetched(""))
        self._news.set()

    def _conclude(
        self,
        fill: Fill,
        app: App,
        course: Course,
        g: Generation,
        answer: PieceFetched,
        found: FillVerdict,
    ) -> None:
        now, told = self._clock(), _told_by(answer)
        dollars = reads_of_fill(told).dollars(app.spending.terms.prices)
        if dollars:
            self._book.paid(fill.connection, dollars, now.wall)
        self._book.tell(fill.id, g.name, told)
        fill = fill.got(answer.new, dollars, now.wall)
        match found.consequence:
            case Consequence.GO_ON:
                course.went_well(fill.id)
                if fill.method is FillMethod.RECOVERY:
                    course.rest(APART_S, now.mono)
                self._record(fill.fetched(answer.token))
            case Consequence.LEAVE_OUT:
                course.went_well(fill.id)
                log.warning("a query of a gap is refused", extra=_about(fill, why=found.why))
                self._record(fill.refuses(found.why, now.wall))
            case Consequence.GIVE_UP:
                course.went_well(fill.id)
                self._record(fill.given_up(found.why, now.wall))
            case _:
                self._hold(fill, app, course, found, answer.status, now)
                self._record(fill)

    def _hold(
        self,
        fill: Fill,
        app: App,
        course: Course,
        found: FillVerdict,
        status: int | None,
        now: Instant,
    ) -> None:
        # An open stream proves token and credit: a refusal here may be about this product alone, and told to
        # the app it would keep the stream from opening again.
        if found.consequence is Consequence.NO_MONEY and fill.method is FillMethod.SEARCH:
            course.rest(app.settings.credit_retry_s, now.mono)
        elif found.consequence is Consequence.NO_MONEY:
            app.out_of_credit(found.why)
        elif found.consequence is Consequence.NO_TOKEN and not self._streams(fill.connection):
            app.refused(app.token, found.why)
        if found.why != (course.pause.why if course.pause is not None else ""):
            log.warning("a piece of a gap is asked for again", extra=_about(fill, why=found.why))
        course.failed(fill.id, Failures(found.failures, status), found.wait_s, now.mono)
        course.pause = Pause(found.why, now.wall + course.not_before - now.mono)

    def _record(self, fill: Fill) -> None:
        self._book.put(fill)
        self._wrote()
        if fill.is_open:
            return
        about = _about(fill, why=fill.why or None, posts=fill.posts, dollars=round(fill.dollars, 4))
        if fill.state is FillState.DONE:
            log.info("a gap is filled", extra=about)
        else:
            log.warning("a gap could not be filled", extra=about)

    # ---- the work

    async def turn(self, c: Connection, app: App) -> float:
        """Ask for the next piece of this connection where that may be; return when to look again."""
        now = self._clock()
        course = self._course(c.name)
        settings = self._context.settings.twitter
        g = _asked_of(c)
        course.forget(_workers(c), now.mono)
        fill = self._next(c, c.serving, course)
        if fill is None or len(course.under_way) >= at_once(fill.method):
            if not course.under_way:
                course.pause = None
            return _LOOK_S
        if (settled_s := fill.to_unix + settings.fill_after - now.wall) > 0:
            return settled_s
        if settings.fill_gaps == NO_FILLS:
            course.pause = Pause("fill_gaps is no")
        elif g is None or not g.streams or self._context.stopping:
            course.pause = Pause("its connection does not stream")
        elif (hold := app.hold()) is not None:
            course.pause = Pause(hold.text, hold.until)
        elif (due := self._due(course, fill, app)) > now.mono:
            return due - now.mono
        elif fill.method is not FillMethod.SEARCH:
            return self._recover(app, course, fill, g)
        elif (plan := await self._plan(c, app, fill)) is not None and _asked_of(c) is g:
            fill = self._now(fill)
            query = plan.queries[fill.step]
            if not fill.token and not is_wanted(query, app.filtering.groups or ()):
                self._record(fill.fetched(""))
                return 0.0
            self._ask(app, course, fill, query, g)
        return _LOOK_S

    def _ask(self, app: App, course: Course, fill: Fill, query: Query, g: Generation) -> None:
        posts = self._posts(app, course, fill, MOST)
        if not posts:
            return
        start, end = window(fill)
        asked = course.ask(fill.id, _worker(g), posts, self._clock().mono)
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
        self._context.fleet.fetch(g, piece)

    def _recover(self, app: App, course: Course, fill: Fill, g: Generation) -> float:
        """Ask for a recovery job where that may be; return when to look for another one."""
        now = self._clock()
        times = recovery_window(fill, now.wall)
        if times is None:
            self._record(fill.given_up(_TOO_OLD, now.wall))
            return 0.0
        if (hindrance := self._jobs.hindrance(app, now)) is not None:
            course.pause = hindrance
            return _LOOK_S
        if self._halved(fill):
            return 0.0
        posts = self._posts(app, course, fill, MOST_POSTS, self._jobs_that_may_begin(fill, course))
        if not posts:
            return _LOOK_S
        if fill.state is FillState.WAITING:
            log.info("a gap is being filled", extra=_about(fill, **self._purse.price(app, fill)))
            self._record(fill.begun(1, now.wall))
        asked = course.ask(fill.id, _worker(g), posts, now.mono)
        self._context.fleet.fetch(g, self._jobs.piece(app, asked, times, now))
        course.rest(APART_S, now.mono)
        return APART_S

    def _halved(self, fill: Fill) -> bool:
        """Make two fills of a long gap that is the only one, so that two jobs are at work, and tell so."""
        if fill.state is not FillState.WAITING or fill.seconds <= HALVED_S:
            return False
        if len(self._book.open(fill.connection)) > 1:
            return False
        self._book.halve(fill)
        self._wrote()
        return True

    def _jobs_that_may_begin(self, fill: Fill, course: Course) -> int:
        waiting = len(self._book.open(fill.connection)) - len(course.under_way)
        return max(1, min(waiting, at_once(fill.method) - len(course.under_way)))

    def _posts(self, app: App, course: Course, fill: Fill, most: int, among: int = 1) -> int:
        """Return how many posts a piece may bring; 0: a cap is reached, and the course pauses.

        So many pieces share what the caps leave beside those under way, which the account may hold in part.
        """
        spoken_for = course.posts_under_way
        left = self._purse.room(app, fill.connection, most * among + spoken_for)
        if left.posts - spoken_for >= LEAST:
            return min(most, share(left.posts - spoken_for, among))
        if not spoken_for:
            if course.pause is None or course.pause.why != left.why:
                log.warning("gaps wait for money", extra=_about(fill, why=left.why))
            course.pause = Pause(left.why, left.until)
        return 0

    async def _plan(self, c: Connection, app: App, fill: Fill) -> Plan | None:
        """Return the queries of a fill, made when it begins; None: there is nothing to ask now."""
        if (kept := self._book.plan_of(fill)) is not None:
            try:
                return load_plan(kept)
            except TraptorError as error:
                self._record(fill.given_up(str(error), self._clock().wall))
                return None
        groups = app.filtering.groups
        if groups is None:
            return None
        try:
            due = await self._carried(c.name, Period(fill.from_unix - 1.0, fill.to_unix))
        except TraptorError as error:
            self._course(c.name).pause = Pause(str(error))
            return None
        if fill not in self._book.open(c.name):
            return None  # meanwhile it became another one, perhaps of a longer stretch
        if not due:
            self._record(fill.without_posts("no rule was carried then", self._clock().wall))
            return None
        plan = plan_of(groups, due.__contains__)
        if not plan.queries:
            why = "; ".join(plan.missed) or _NOTHING_TO_ASK
            self._record(fill.given_up(why, self._clock().wall))
            return None
        self._book.plan(fill.begun(len(plan.queries), self._clock().wall), dump_plan(plan))
        self._wrote()
        asked = {"queries": len(plan.queries), "missed": list(plan.missed) or None}
        log.info("a gap is being filled", extra=_about(fill, **asked, **self._purse.price(app, fill)))
        return plan

    # ---- answers

    def status(self) -> dict[str, Any]:
        """Return the fills that are open, the last final ones, and why they wait."""
        return overview(self._context.settings.twitter, self._book, self._courses, self._clock().wall)

    # ---- steps

    def _due(self, course: Course, fill: Fill, app: App) -> float:
        """Return when the next piece may be asked for (monotonic seconds)."""
        pace = self._paces.due(app.key) if fill.method is FillMethod.SEARCH else 0.0
        return max(course.not_before, pace)

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
        g = _asked_of(c) if c is not None else None
        return g is not None and g.streams

    def _next(self, c: Connection, g: Generation | None, course: Course) -> Fill | None:
        """Return the earliest gap whose posts neither a stream nor a piece is bringing."""
        asked = {piece.fill for piece in course.under_way}
        for one in self._book.open(c.name):
            if not self._backfills.brings(one, g) and one.id not in asked:
                return self._now(one)
        return None

    def _now(self, fill: Fill) -> Fill:
        """Return what a fill has become meanwhile."""
        return next((one for one in self._book.open(fill.connection) if one.id == fill.id), fill)


def _asked_of(c: Connection) -> Generation | None:
    """Return the generation to ask: its own, or while it has no stream that of the app's other connection."""
    if not c.streams and c.other is not None and c.other.streams:
        return c.other.serving
    return c.serving


def _workers(c: Connection) -> list[Worker]:
    """Return those that may still answer, whether or not they have a stream."""
    return [_worker(one.serving) for one in (c, c.other) if one is not None and one.serving is not None]


def _worker(g: Generation) -> Worker:
    return Worker(g.birth.connection, g.birth.generation)


def _about(fill: Fill, **about: Any) -> Any:
    stretch = {"since": iso(fill.from_unix), "until": iso(fill.to_unix)}
    return fields(connection=fill.connection, method=fill.method, **stretch, **about)


def _told_by(answer: PieceFetched) -> FillReads:
    kinds = ("posts", "included_posts", "included_users")
    return FillReads(answer.new, **{kind: answer.reads.get(kind, 0) for kind in kinds})
