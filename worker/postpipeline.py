"""Take a line of an API v2 stream to its delivery: find its rules by its filters."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from traptor.common.birth import Birth
from traptor.common.counts import Counters, added
from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.common.messages import PieceFetched, Rules, SearchPiece, TrialReport
from traptor.worker.afterfork import give_memory_back
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.dispatch.bill import Bill
from traptor.worker.dispatch.dispatch import Dispatch
from traptor.worker.dispatch.errorcounts import ErrorCounts
from traptor.worker.dispatch.gapposts import GapPosts
from traptor.worker.filters.edition import Edition
from traptor.worker.filters.editions import Editions
from traptor.worker.payload.source import decode_source
from traptor.worker.pipeline import Pipeline
from traptor.worker.posts.came import Came
from traptor.worker.posts.head import HeadPost, PostHead
from traptor.worker.posts.paid import included_users_in
from traptor.worker.posts.past import Taken
from traptor.worker.posts.postline import (
    BROKEN,
    LineKind,
    OtherLine,
    decode_head,
    name_of,
    partial_errors,
    read_line,
    read_posts,
)
from traptor.worker.seen.ids import numbers_of
from traptor.worker.trialoutput.output import TrialOutput
from traptor.worker.tweets.enrich import without_traptor
from traptor.worker.tweets.tweet import NO_MEMBER

log = logging.getLogger(__name__)


class PostPipeline(Pipeline):
    """Handles the lines of the filtered stream; only posts are delivered."""

    def __init__(
        self,
        birth: Birth,
        delivery: Delivery,
        stats: Stats | None,
        trial: TrialOutput | None = None,
    ) -> None:
        super().__init__(birth, delivery, stats)
        self._trial = trial
        self._editions = Editions(birth.rules, birth.filters)
        self._drops_repeated = birth.is_one_of_two or birth.settings.repeated == "drop"
        self._told = Tally()
        self._errors = ErrorCounts(self.tally.errors)
        self._dispatch = Dispatch(
            birth,
            delivery,
            stats,
            trial,
            self.tally,
            self.enrichers,
            self.sampler,
            self._errors,
            self.excerpts,
        )
        self._dispatch.use(self._editions.now)
        self._decode = decode_source if self._dispatch.rebuilds else decode_head
        self._bill = Bill(birth, delivery, self._dispatch.settled)
        self._gap = GapPosts(birth.group, delivery, self._dispatch, self._bill, self.tally)
        self._lock = threading.Lock()  # the stream's posts, and those that a gap lacked

    def open(self) -> None:
        """Prepare matching and connect to the output. Raises SinkError."""
        self._editions.open()
        self._use(self._editions.now)
        self.delivery.before_keeping(self._bill.write_down)
        self.delivery.before_settling(self._bill.write_reads)
        self.open_output()
        if self._trial is not None:
            self.delivery.after_keeping(self._trial.hand_over)
            self._trial.open()

    def follow(self, handled_until: Callable[[], float]) -> None:
        """Set the function that tells until when everything received was handled; call this first."""
        if self._trial is not None:
            # The trial gets a post when it is kept, which is later than it came; what either output lost
            # must lie in the gap.
            told = handled_until
            self._trial.follow(lambda: self.delivery.safe_of(told()))
            handled_until = self._trial.safe_until
        super().follow(handled_until)

    def stream_opened(self) -> None:
        """Begin a new stream, which brings no posts of the past unless they are expected."""
        super().stream_opened()
        with self._lock:
            self._gap.expect_no_past()
        if self._trial is not None:
            self._trial.stream_opened()

    def handle(self, lines: Sequence[bytes]) -> None:
        """Handle lines that came together, by one read of the stream."""
        with self._lock:
            self._begin()
            super().handle(lines)

    def hand_over(self) -> None:
        """Give the output what the lines brought."""
        self._dispatch.hand_over()

    def take(self, lines: Sequence[bytes]) -> None:
        """Take lines that came together: each is to be handed over or counted, and never fatal."""
        raws, heads = self._posts_among(lines)
        if not heads:
            return
        posts = cast(list[HeadPost], [head.data for head in heads])
        numbers = numbers_of([post.id for post in posts])
        came = Came(raws, heads, posts, numbers, self.delivery.seen(numbers))
        if self._gap.backlog is not None:
            self._take_singly(came)
            return
        try:
            self._take_posts(came)
        except RecursionError:
            self._take_singly(came)

    def _take_singly(self, came: Came) -> None:
        """Take each post alone: some belong to a gap, or one ends the work on all."""
        for one in came.singly():
            try:
                self._take_post(one)
            except RecursionError:  # nested so deeply that it could be read once, but not again from here
                self._take_other(one.raws[0], BROKEN)

    def _posts_among(self, lines: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[PostHead]]:
        """Return the lines that are posts, with their heads; take the others."""
        all_heads = read_posts(lines, self._decode)
        if all_heads:
            self.problem = ""
            return lines, all_heads
        raws, heads = list[bytes](), list[PostHead]()
        for line in lines:
            found = read_line(line, self._decode)
            if isinstance(found, PostHead):
                self.problem = ""
                raws.append(line)
                heads.append(found)
            else:
                self._take_other(line, found)
        return raws, heads

    def _take_post(self, one: Came) -> None:
        """Take a post that may be one of a backfill."""
        (raw,), (head,), _, (number,), (is_seen,) = one
        backlog = self._gap.backlog
        if backlog is None or not backlog.holds(head.post.id):
            self._take_posts(one)
            return
        if head.errors is not NO_MEMBER:
            self._errors.add_problems(partial_errors(head))
        self._gap.take_past(raw, head, number, is_seen, backlog, self._received_at_s)

    def _take_posts(self, came: Came) -> None:
        """Take live posts, of which those that came before may be dropped.

        Raises RecursionError, and has done nothing then.
        """
        drops = self._drops_repeated and True in came.seen
        new = came.only([not is_seen for is_seen in came.seen]) if drops else came
        odd = [head for head in came.heads if head.errors is not NO_MEMBER or head.traptor is not NO_MEMBER]
        if odd:
            new = _without_traptor(new)
        edition = self._dispatch.edition
        found = edition.attribute_all(new.heads, new.raws)
        if self._editions.unseen:  # posts with a label name filters that an earlier one has named
            self._editions.note(
                [head for head, one in zip(new.heads, found, strict=True) if one.label is None]
            )
        for head in odd:
            self._errors.add_problems(partial_errors(head))
        self._bill.included_users += included_users_in(came.heads)
        if drops:
            self._drop(came.only(came.seen))
        exceeding = None
        if self.has_rate_limits:
            exceeding = [self.exceeding(edition.rules, one.rules) for one in found]
        self._dispatch.deliver(new, found, exceeding)

    def _drop(self, came: Came) -> None:
        """Count posts that came before."""
        for head, number in zip(came.heads, came.numbers, strict=True):
            self._dispatch.count_dropped()
            self._bill.add_dropped(number, head, self._received_at_s)

    def _use(self, edition: Edition) -> None:
        """Match by another edition from now on."""
        self._dispatch.use(edition)
        self.limit_rates(edition.rules)

    # ---- posts that a gap lacked, from another thread

    def paid(
        self,
        fill: int,
        posts: Sequence[str | None],
        included_posts: Sequence[str | None],
        included_users: int,
    ) -> dict[str, int]:
        """Count what X bills for a page of posts found for a fill, and return that."""
        with self._lock:
            return self._bill.add_page(fill, posts, included_posts, included_users)

    def take_found(self, piece: SearchPiece, line: bytes) -> bool:
        """Deliver a found post; return False when it was delivered before, or the worker ends."""
        found = read_line(line, self._decode)
        with self._lock:
            self._begin()
            is_new = self._gap.take_found(piece, line, found)
            self.hand_over()
        return is_new

    def take_recovered(self, fill: int, line: bytes) -> Taken:
        """Deliver a post of a fill's recovery unless it was delivered before, or the worker ends."""
        found = read_line(line, self._decode)
        with self._lock:
            self._begin()
            taken = self._gap.take_recovered(fill, line, found, self._received_at_s)
            self.hand_over()
        return taken

    def expect_past(self, opened_unix: float) -> None:
        """Take posts from before this time as those of a gap, until none came for a while."""
        with self._lock:
            self._gap.expect_past(opened_unix)

    def past_taken(self, safe_until: float) -> PieceFetched | None:
        """Return, once, what came of a backfill that is over and in the outbox."""
        with self._lock:
            return self._gap.past_taken(safe_until)

    def _begin(self) -> None:
        """Begin with what came now, by the rules of now."""
        if self._editions.now is not self._dispatch.edition:
            self._use(self._editions.now)
        self._received_at_s = time.time()
        self._dispatch.begin(self._received_at_s)

    # ---- lines that are not posts

    def _take_other(self, line: bytes, found: OtherLine) -> None:
        match found.kind:
            case LineKind.BROKEN:
                self.tally.broken += 1
                self.excerpts.show("a line of the stream is no JSON object", line)
                return
            case LineKind.UNKNOWN:
                self.excerpts.show("a message of an unknown kind", line)
            case LineKind.PROBLEMS | LineKind.DISCONNECT:
                self._errors.add_problems(found.problems)
                self._take_problem(found)
        self.tally.other[found.kind] = self.tally.other.get(found.kind, 0) + 1

    def _take_problem(self, found: OtherLine) -> None:
        first = found.problems[0]
        self.problem = name_of(first)
        about = {"problem": self.problem, "reason": first.reason}
        if found.kind is LineKind.DISCONNECT:
            self.is_over = True
            log.warning("X announces a disconnect", extra=lifecycle(**about))
        elif count := self._told.add(self.problem):
            log.warning("X reports an error in the stream", extra=fields(**about, count=count))

    # ---- the end

    def keep(self) -> bool:
        """Commit the gathered messages; return False if the main output's cannot be kept now."""
        is_kept = super().keep()
        if self._trial is not None:
            self._trial.keep()  # it gets a post when the main output has kept it
        return is_kept

    def drain(self, deadline: float) -> int:
        """Deliver until `deadline` (monotonic); return how many messages the main output leaves to others."""
        with self._lock:
            self._gap.end()  # posts that a gap lacked come no more
        left = super().drain(deadline)
        if self._trial is not None:
            self._trial.drain(deadline)
        return left

    # ---- any thread

    def change_rules(self, message: Rules) -> None:
        """Take a piece of a change, which is in force after its last piece. Raises ProtocolError."""
        if self._editions.take(message):
            give_memory_back()
            rules = len(self._editions.now.rules)
            log.info("rules changed", extra=lifecycle(change=self._editions.change, rules=rules))

    @property
    def rules_change(self) -> int:
        """The number of the last change in force."""
        return self._editions.change

    def newly_seen_filters(self) -> tuple[str, ...]:
        """Return the filters that a post has named for the first time since the last call."""
        return self._editions.newly_seen()

    def trial_report(self) -> TrialReport | None:
        """Return the state of the trial output; None when there is none."""
        return None if self._trial is None else self._trial.report()

    def counters(self, log_lost: int) -> Counters:
        """Return a snapshot of all counters."""
        counters = added(super().counters(log_lost), msgspec.structs.replace(self._dispatch.settled))
        counters.reads = self._bill.reads
        if self._trial is not None:
            counters.trial = self._trial.counts()
        return counters


def _without_traptor(came: Came) -> Came:
    """Return posts without what another program added to them."""
    pairs = zip(came.raws, came.heads, strict=True)
    return came._replace(raws=[without_traptor(raw) if head.has_traptor else raw for raw, head in pairs])
