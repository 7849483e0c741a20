"""Take posts that a gap lacked: of a search, of a recovery, or of a backfill before the live ones.

One thread at a time calls it, when the edition in use is that of now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from traptor.common.counts import Counters
from traptor.common.fills import OF_BACKFILLS, FillEnd, FillMethod
from traptor.common.messages import BACKFILLED, PieceFetched, SearchPiece
from traptor.common.rules.rule import GroupId
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.dispatch.bill import Bill
from traptor.worker.dispatch.dispatch import Dispatch
from traptor.worker.filters.asked import AskedQuery
from traptor.worker.filters.attribution import FOREIGN, Attribution
from traptor.worker.posts.came import Came
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.past import Backlog, Taken
from traptor.worker.posts.postline import LineKind, OtherLine
from traptor.worker.seen.ids import number_of
from traptor.worker.tweets.enrich import Enricher, without_traptor

_Attributed = tuple[PostHead, Attribution, Enricher]
_Attribute = Callable[[PostHead, bytes], _Attributed]


class GapPosts:
    """Delivers what was not delivered before, until the worker ends."""

    def __init__(
        self, group: GroupId | None, delivery: Delivery, dispatch: Dispatch, bill: Bill, tally: Counters
    ) -> None:
        self._group = group
        self._delivery = delivery
        self._dispatch = dispatch
        self._bill = bill
        self._tally = tally
        self._query: AskedQuery | None = None
        self._is_over = False
        self.backlog: Backlog | None = None  # read for every post of the stream

    def end(self) -> None:
        """Take no more: the worker drains."""
        self._is_over = True

    # ---- fetched beside the stream

    def take_found(self, piece: SearchPiece, line: bytes, found: PostHead | OtherLine) -> bool:
        """Deliver a found post; return False when it was delivered before, or the worker ends."""
        if self._is_over or not isinstance(found, PostHead):
            self._tally.broken += not isinstance(found, PostHead)
            return False
        self._tally.received_bytes += len(line)
        post = number_of(found.post.id) or 0
        is_seen = self._delivery.seen([post])[0]
        return self._deliver(line, found, post, is_seen, piece.fill, partial(self._of_query, piece))

    def take_recovered(
        self, fill: int, line: bytes, found: PostHead | OtherLine, received_at_s: float
    ) -> Taken:
        """Deliver a post of a fill's recovery unless it was delivered before, or the worker ends."""
        if not isinstance(found, PostHead):
            self._tally.broken += found.kind is LineKind.BROKEN
            return Taken(ends=found.kind in (LineKind.DISCONNECT, LineKind.PROBLEMS))
        if self._is_over:
            return Taken()
        self._tally.received_bytes += len(line)
        post = number_of(found.post.id) or 0
        is_seen = self._delivery.seen([post])[0]
        reads = self._bill.add_post(fill, post, found, received_at_s)
        is_new = self._deliver(
            line, found, post, is_seen, fill, partial(self._of_filters, FillMethod.RECOVERY)
        )
        return Taken(found.post.id, is_new, reads)

    # ---- a backfill

    def expect_past(self, opened_unix: float) -> None:
        """Take posts from before this time as those of a gap, until none came for a while."""
        self.backlog = Backlog(opened_unix, time.monotonic())

    def expect_no_past(self) -> None:
        """Take all posts of the stream as live ones."""
        self.backlog = None

    def take_past(
        self,
        raw: bytes,
        head: PostHead,
        post: int,
        is_seen: bool,
        backlog: Backlog,
        received_at_s: float,
    ) -> None:
        """Deliver a post of the backfill, unless it was delivered before; `post` is its number."""
        reads = self._bill.add_post(OF_BACKFILLS, post, head, received_at_s)
        is_new = self._deliver(
            raw, head, post, is_seen, OF_BACKFILLS, partial(self._of_filters, FillMethod.BACKFILL)
        )
        backlog.took(is_new, reads, time.monotonic())

    def past_taken(self, safe_until: float) -> PieceFetched | None:
        """Return, once, what came of a backfill that is over and in the outbox."""
        backlog = self.backlog
        if backlog is None or not backlog.is_over(time.monotonic()):
            return None
        if safe_until < backlog.last_at:
            return None
        self.backlog = None
        return PieceFetched(
            number=BACKFILLED,
            end=FillEnd.DONE,
            posts=backlog.posts,
            new=backlog.new,
            reads=backlog.reads,
        )

    # ---- parts

    def _deliver(
        self, raw: bytes, head: PostHead, post: int, is_seen: bool, fill: int, attribute: _Attribute
    ) -> bool:
        """Deliver a post of a fill; return False for one that came before or is broken."""
        if is_seen:
            self._dispatch.count_dropped()
            return False
        try:
            named, found, enricher = attribute(head, raw)
            self._dispatch.deliver_filled(_new(raw, named, post), found, enricher)
        except RecursionError:  # nested so deeply that it could be read once, but not again from here
            self._tally.broken += 1
            return False
        self._bill.delivers(fill)
        return True

    def _of_query(self, piece: SearchPiece, head: PostHead, raw: bytes) -> _Attributed:
        """Attribute a post that was found by a query."""
        named, found = self._asked_by(piece).attribute(head, raw)
        return named, found, self._dispatch.filling(piece.method, None)

    def _of_filters(self, method: FillMethod, head: PostHead, raw: bytes) -> _Attributed:
        """Attribute a post that names its filters."""
        found = self._dispatch.edition.attribute(head, raw)
        group = None if found.source is FOREIGN else self._group
        return head, found, self._dispatch.filling(method, group)

    def _asked_by(self, piece: SearchPiece) -> AskedQuery:
        """Return what a query stands for by the rules of now."""
        edition = self._dispatch.edition
        if self._query is None or not self._query.is_of(edition, piece.meanings):
            self._query = AskedQuery.of(edition, piece.meanings)
        return self._query


def _new(raw: bytes, head: PostHead, post: int) -> Came:
    """Return a post that was not seen before."""
    return Came([without_traptor(raw) if head.has_traptor else raw], [head], [head.post], [post], [False])
