"""Take what workers answer about pieces: what they brought and cost, and what follows for the fill."""

from __future__ import annotations

import logging
from collections.abc import Callable

from traptor.common.files.fillreads import FillReads
from traptor.common.fills import OF_BACKFILLS, FillMethod
from traptor.common.messages import PieceFetched
from traptor.supervisor.apps.app import App
from traptor.supervisor.fills.jobs import APART_S
from traptor.supervisor.fills.pieces.course import Course, Pause
from traptor.supervisor.fills.pieces.verdict import Consequence, FillVerdict, settled, verdict
from traptor.supervisor.fills.record import FillRecord, about
from traptor.supervisor.fills.untold import reads_of_fill
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.xapi.cures import Cure, cure_by

log = logging.getLogger(__name__)


class Answers:
    """Books each answer, and decides by it.

    `streams` tells whether a connection has an open stream; `taken` has the connections of an app looked at,
    by its key: X counts too many.
    """

    def __init__(
        self,
        record: FillRecord,
        streams: Callable[[str], bool],
        taken: Callable[[str], object],
        clock: Callable[[], Instant],
    ) -> None:
        self._record = record
        self._streams = streams
        self._taken = taken
        self._clock = clock

    def take(self, fill: Fill, app: App, course: Course, g: Generation, answer: PieceFetched) -> None:
        """Take the answer about a piece of a fill."""
        now, failures = self._clock(), course.failures(fill.id)
        if fill.method is not FillMethod.SEARCH:
            answer = settled(fill, answer, failures.count)
        found = verdict(answer, failures, now.wall)
        dollars = self._book(fill.connection, fill.id, app, g, answer)
        fill = fill.got(answer.new, dollars, now.wall)
        if found.consequence in _GOES_ON:
            course.went_well(fill.id)
            if fill.method is FillMethod.RECOVERY:
                course.rest(APART_S, now.mono)
            self._record.put(_after(fill, answer, found, now))
        else:
            if cure_by(answer.problem, answer.status) is Cure.SLOT:
                self._taken(app.key.key_id)
            self._ask_again(fill, app, course, found, now)
            self._record.put(fill)

    def take_backfill(self, fills: list[Fill], app: App | None, g: Generation, answer: PieceFetched) -> None:
        """Take what a stream brought of the past, which these fills lacked."""
        wall = self._clock().wall
        dollars = self._book(g.birth.connection, OF_BACKFILLS, app, g, answer)
        # Of several gaps that one stream filled, the first is said to have brought all.
        for number, fill in enumerate(fills):
            got = fill.got(0, 0.0, wall) if number else fill.got(answer.new, dollars, wall)
            self._record.put(got.fetched(""))

    def _book(
        self, connection: str, fill: int, app: App | None, g: Generation, answer: PieceFetched
    ) -> float:
        """Count what an answer tells of, and return what it cost."""
        told = _told_by(answer)
        dollars = 0.0 if app is None else reads_of_fill(told).dollars(app.spending.terms.prices)
        if dollars:
            self._record.book.paid(connection, dollars, self._clock().wall)
        self._record.book.tell(fill, g.name, told)
        return dollars

    def _ask_again(self, fill: Fill, app: App, course: Course, found: FillVerdict, now: Instant) -> None:
        # An open stream proves token and credit: a refusal here may be about this product alone, and told to
        # the app it would keep the stream from opening again.
        if found.consequence is Consequence.NO_MONEY and fill.method is FillMethod.SEARCH:
            course.rest(app.settings.credit_retry_s, now.mono)
        elif found.consequence is Consequence.NO_MONEY:
            app.out_of_credit(found.why)
        elif found.consequence is Consequence.NO_TOKEN and not self._streams(fill.connection):
            app.refused(app.token, found.why)
        if found.why != (course.pause.why if course.pause is not None else ""):
            log.warning("a piece of a gap is asked for again", extra=about(fill, why=found.why))
        course.failed(fill.id, found.failures, found.wait_s, now.mono)
        course.pause = Pause(found.why, now.wall + course.not_before - now.mono)


_GOES_ON = frozenset({Consequence.GO_ON, Consequence.LEAVE_OUT, Consequence.GIVE_UP})


def _after(fill: Fill, answer: PieceFetched, found: FillVerdict, now: Instant) -> Fill:
    """Return what a fill becomes when its piece is not asked for again."""
    match found.consequence:
        case Consequence.LEAVE_OUT:
            log.warning("a query of a gap is refused", extra=about(fill, why=found.why))
            return fill.refuses(found.why, now.wall)
        case Consequence.GIVE_UP:
            return fill.given_up(found.why, now.wall)
        case _:
            return fill.fetched(answer.token)


def _told_by(answer: PieceFetched) -> FillReads:
    kinds = ("posts", "included_posts", "included_users")
    return FillReads(answer.new, **{kind: answer.reads.get(kind, 0) for kind in kinds})
