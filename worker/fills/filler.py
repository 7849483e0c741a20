"""Fetch the pieces that the master orders, each in a thread of its own beside the stream."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from traptor.common.birth import WorkerSettings
from traptor.common.fills import FillEnd
from traptor.common.logs.event import fields
from traptor.common.messages import FromWorker, PieceFetched, RecoverPiece, SearchPiece
from traptor.worker.credentials import secrets_of
from traptor.worker.fills.page import read_page
from traptor.worker.fills.recovery import Recovery, TakesRecovered
from traptor.worker.fills.search import SearchFailed, search

log = logging.getLogger(__name__)


Piece = SearchPiece | RecoverPiece


class TakesFills(TakesRecovered, Protocol):
    """A pipeline that takes posts which a gap lacks, as the stream's in any other way; from any thread."""

    def paid(
        self,
        fill: int,
        posts: Sequence[str | None],
        included_posts: Sequence[str | None],
        included_users: int,
    ) -> dict[str, int]:
        """Count what X bills for a page of a fill, and return that."""

    def take_found(self, piece: SearchPiece, line: bytes) -> bool:
        """Deliver a post of a piece; return False when it was delivered before, or the worker ends."""


class Filler:
    """Owns the threads, which end with their pieces; the master orders no more than X takes at once."""

    def __init__(
        self,
        settings: WorkerSettings,
        pipeline: TakesFills,
        has_room: Callable[[], bool],
        keep: Callable[[], bool],
        know: Callable[[list[str]], object],
        post: Callable[[FromWorker], None],
    ) -> None:
        """Take the outbox's room and its commit, and what hides secrets from logs."""
        self._settings = settings
        self._pipeline = pipeline
        self._has_room = has_room
        self._keep = keep
        self._know = know
        self._post = post
        self._recoveries: set[Recovery] = set()  # that run
        self._ends = 0  # how often recovery was to end: what was ordered before that ends, running or not
        self._is_over = False

    # ---- the link thread

    def order(self, piece: Piece) -> None:
        """Have a piece fetched."""
        thread = threading.Thread(target=self._run, args=(piece, self._ends), name="filler", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            self._post(PieceFetched(number=piece.number, end=FillEnd.FAULT, detail=str(error)))

    def stop(self) -> None:
        """Deliver nothing more: the worker drains."""
        self._is_over = True
        self.end_recovery()

    def end_recovery(self) -> None:
        """Have X send no more of the past; the master asks for the rest when that may be."""
        self._ends += 1
        for recovery in tuple(self._recoveries):
            recovery.stop()

    # ---- a piece's own thread

    def _run(self, piece: Piece, ends: int) -> None:
        if self._is_over:
            return
        answer = self._fetched(piece, ends)
        if not self._is_over:
            self._post(answer)

    def _fetched(self, piece: Piece, ends: int) -> PieceFetched:
        try:
            self._know(secrets_of(piece.connect))
            if isinstance(piece, RecoverPiece):
                return _masked(self._recover(piece, ends), piece)
            return _masked(self._fetch(piece), piece)
        except SearchFailed as failed:
            return _masked(failed.answer, piece)
        except Exception as error:
            log.exception("a piece of a gap could not be handled")
            return PieceFetched(number=piece.number, end=FillEnd.FAULT, detail=type(error).__name__)

    def _recover(self, piece: RecoverPiece, ends: int) -> PieceFetched:
        recovery = Recovery(piece, self._settings, self._pipeline, self._has_room)
        self._recoveries.add(recovery)
        if self._ends != ends:
            recovery.stop()  # it came before there was a stream to stop
        try:
            answer = recovery.run(self._keep)
        finally:
            self._recoveries.discard(recovery)
        about = fields(posts=answer.posts, new=answer.new, end=answer.end, reached=answer.token or None)
        log.info("part of a gap recovered", extra=about)
        return answer

    def _fetch(self, piece: SearchPiece) -> PieceFetched:
        body, headers = search(piece, self._settings)
        try:
            page = read_page(body, piece.token)
        except ValueError as error:
            return PieceFetched(number=piece.number, end=FillEnd.BROKEN, headers=headers, detail=str(error))
        reads = self._pipeline.paid(piece.fill, page.ids, page.included_posts, page.included_users)
        new, is_whole = 0, True
        for line in page.lines:
            if not self._has_room():
                is_whole = False
                break
            new += self._pipeline.take_found(piece, line)
        is_kept = self._keep() and is_whole
        log.info("piece of a gap fetched", extra=fields(posts=len(page.lines), new=new, kept=is_kept))
        return PieceFetched(
            number=piece.number,
            end=FillEnd.DONE if is_kept else FillEnd.NO_ROOM,
            token=page.next_token,
            posts=len(page.lines),
            new=new,
            reads=reads,
            status=200,
            headers=headers,
        )


def _masked(answer: PieceFetched, piece: Piece) -> PieceFetched:
    """Return it without credentials that a server or proxy may have repeated."""
    detail, problem = answer.detail, answer.problem
    for secret in secrets_of(piece.connect):
        detail, problem = detail.replace(secret, "***"), problem.replace(secret, "***")
    return msgspec.structs.replace(answer, detail=detail, problem=problem)
