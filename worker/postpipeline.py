"""Take a line of an API v2 stream to its delivery: find its rules by its filters, and count what it costs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from traptor.common.birth import NATIVE_PAYLOAD, Birth
from traptor.common.counts import Counters, added
from traptor.common.files.reads import ReadCounts, ReadsFile
from traptor.common.fills import FillEnd, FillMethod
from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.common.messages import BACKFILLED, PieceFetched, Rules, SearchPiece, TrialReport
from traptor.common.problem import ProblemDocument
from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.afterfork import give_memory_back
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.filters.asked import AskedQuery
from traptor.worker.filters.edition import Attribution, Edition, RuleSource
from traptor.worker.filters.editions import Editions
from traptor.worker.outbox.message import Outgoing
from traptor.worker.payload.rebuild import Rebuilt, rebuilt
from traptor.worker.pipeline import Pipeline
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.paid import included_posts, included_users, numbers_of
from traptor.worker.posts.past import Backlog, Taken
from traptor.worker.posts.postline import LineKind, OtherLine, name_of, partial_errors, read_line
from traptor.worker.seen.claim import Claim
from traptor.worker.seen.ids import number_of
from traptor.worker.trialoutput.output import TrialOutput
from traptor.worker.tweets.enrich import Enrichable, Enricher
from traptor.worker.tweets.timestamps import unix_ms_of_created_at
from traptor.worker.tweets.tweet import NO_MEMBER

log = logging.getLogger(__name__)

# The names come from X; beyond this many, errors are counted together.
_MOST_KINDS: Final = 50
_OTHER_KINDS: Final = "others"
_NOT_REBUILT: Final = "not rebuilt"


class _OnItsWay(NamedTuple):
    """A post on its way into one message or two; `tweet`: rebuilt, where that is wanted and possible."""

    raw: bytes
    tweet: bytes | None
    head: PostHead
    enricher: Enricher
    matched: Sequence[int]
    is_inferred: bool
    received_at_s: float
    is_repeated: bool


class PostPipeline(Pipeline):
    """Handles the lines of the filtered stream; only posts are delivered."""

    def __init__(
        self, birth: Birth, delivery: Delivery, stats: Stats | None, trial: TrialOutput | None = None
    ) -> None:
        super().__init__(birth, delivery, stats)
        self._trial = trial
        self._editions = Editions(birth.rules, birth.filters)
        self._edition = self._editions.now
        self._settled = Counters()  # counted by whichever thread settles claims
        self._included_users = 0
        self._reads_file = ReadsFile(birth.settings.outbox.state_dir, birth.connection, birth.generation)
        self._drops_repeated = birth.is_one_of_two or birth.settings.repeated == "drop"
        self._told = Tally()
        self._unkept = Tally()
        self._payload = birth.settings.payload
        self._rebuilds = trial is not None or self._payload != NATIVE_PAYLOAD
        self._lock = threading.Lock()  # the stream's posts, and those that a gap lacked
        self._query: AskedQuery | None = None
        self._drains = False
        self._backlog: Backlog | None = None
        self._filling: dict[tuple[FillMethod, GroupId | None], Enricher] = {}

    def open(self) -> None:
        """Prepare matching and connect to the output. Raises SinkError."""
        self._editions.open()
        self._use(self._editions.now)
        self.delivery.before_keeping(self._keep_reads)
        self.open_output()
        if self._trial is not None:
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
            self._backlog = None
        if self._trial is not None:
            self._trial.stream_opened()

    def handle(self, line: bytes) -> None:
        """Handle one line of the stream; whatever it is, it is delivered or counted, and never fatal."""
        with self._lock:
            self.tally.received_bytes += len(line)
            found = read_line(line)
            if isinstance(found, PostHead):
                self._take_post(line, found)
            else:
                self._take_other(line, found)

    def _take_post(self, raw: bytes, head: PostHead) -> None:
        received_at_s = time.time()
        assert head.data is not None
        self.problem = ""
        editions = self._editions
        if editions.now is not self._edition:
            self._use(editions.now)
        if editions.unseen:
            editions.note(head)
        if head.errors is not NO_MEMBER:
            self._count_problems(partial_errors(head))
        backlog = self._backlog
        if backlog is not None and backlog.holds(head.data.id):
            self._take_past(raw, head, backlog, received_at_s)
            return
        self._included_users += included_users(head)
        post = number_of(head.data.id) or 0
        is_repeated = post > 0 and self.delivery.has_seen(post)
        if is_repeated and self._drops_repeated:
            self._drop(post, head, received_at_s)
            return
        found = self._edition.attribute(head, raw)
        enricher = self._foreign if found.source is RuleSource.FOREIGN else self._enricher
        exceeding = self.exceeding(self._edition.rules, found.rules) if self.has_rate_limits else ()
        self._deliver(raw, head, found, enricher, received_at_s, is_repeated, exceeding)

    def _drop(self, post: int, head: PostHead, received_at_s: float) -> None:
        """Count a post that was taken before, and bill it if that was on another day."""
        self._count_dropped()
        included = included_posts(head)
        if not self.delivery.is_billed((post, *included), received_at_s):
            self.delivery.settle(Claim(post, included, received_at_s, False, lambda _is_ours: None))

    def _count_dropped(self) -> None:
        if self.birth.is_one_of_two:
            self.tally.copies += 1
        else:
            self.tally.received += 1
            self.tally.repeated += 1

    def _deliver(
        self,
        raw: bytes,
        head: PostHead,
        found: Attribution,
        enricher: Enricher,
        received_at_s: float,
        is_repeated: bool = False,
        exceeding: Collection[int] = (),
    ) -> None:
        """Give a post to the output, unless all its rules exceed their rate limits.

        Posts that a gap lacked exceed none: they come in bursts, paid for, and are not of the present.
        """
        rules, matched = self._edition.rules, found.rules
        if exceeding:
            matched = tuple(index for index in matched if index not in exceeding)
        post, included = number_of(head.post.id) or 0, included_posts(head)
        settle = partial(self._settle, rules, found, exceeding, is_repeated)
        if exceeding and not matched:
            self.delivery.settle(Claim(post, included, received_at_s, self.birth.is_one_of_two, settle))
            return
        tweet = self._rebuilt(raw) if self._rebuilds else None
        is_inferred = found.source is RuleSource.INFERRED
        taken = _OnItsWay(raw, tweet, head, enricher, matched, is_inferred, received_at_s, is_repeated)
        message = self._outgoing(taken, self._payload)
        self.sampler.offer(message.body)
        if self._trial is not None:
            settle = partial(settle, trial=self._outgoing(taken, self._trial.payload))
        claim = Claim(post, included, received_at_s, self.birth.is_one_of_two, settle)
        self.delivery.send(message, claim)

    def _outgoing(self, taken: _OnItsWay, payload: str) -> Outgoing:
        """Return the message for a post in one form, or as it came where it cannot be rebuilt."""
        post = taken.head.post
        created_at, rules = post.created_at, self._edition.rules
        text, form = taken.raw, NATIVE_PAYLOAD
        about: Enrichable = taken.head
        if taken.tweet is not None and payload != NATIVE_PAYLOAD:
            text, about, form = taken.tweet, Rebuilt(created_at), payload
        return Outgoing(
            body=taken.enricher.enrich(
                text, about, taken.matched, taken.is_inferred, taken.received_at_s, taken.is_repeated
            ),
            tweet_id=post.id,
            rule_ids=tuple([rules[index].rule_id for index in taken.matched]),
            created_at_ms=unix_ms_of_created_at(created_at) if created_at else None,
            payload=form,
            edit_of=post.edit_of,
        )

    def _rebuilt(self, raw: bytes) -> bytes | None:
        """Return the post as a tweet of v1.1; one that cannot be rebuilt is delivered as it came."""
        tweet = rebuilt(raw)
        if tweet is None:
            self._count_error(_NOT_REBUILT)
            self._show("a post cannot be rebuilt as a tweet of v1.1", raw)
        return tweet

    def _use(self, edition: Edition) -> None:
        """Match by another edition from now on."""
        self._edition = edition
        self._enricher = self.enricher(edition.rules, self.birth.group)
        self._foreign = self.enricher(edition.rules, None)
        self._filling = {}
        self.limit_rates(edition.rules)

    def _settle(
        self,
        rules: Sequence[Rule],
        found: Attribution,
        exceeding: Collection[int],
        is_repeated: bool,
        is_ours: bool,
        trial: Outgoing | None = None,
    ) -> None:
        """Count a post, now that it is known whose it is, and try the other form of it.

        Called by whichever thread keeps the post, never by two at once.
        """
        tally = self._settled
        if not is_ours:
            tally.copies += 1
            return
        tally.received += 1
        tally.repeated += is_repeated
        if found.source is RuleSource.MATCHED:
            tally.matched += 1
        elif found.source is RuleSource.INFERRED:
            tally.inferred += 1
        else:
            tally.unmatched += 1
            is_foreign = found.source is RuleSource.FOREIGN
            tally.foreign += is_foreign
            tally.unattributed += not is_foreign
        tally.held += bool(exceeding) and len(exceeding) >= len(found.rules)
        if self.stats is not None:
            self.stats.received_for(rules, found.rules)
            if exceeding:
                self.stats.held_for(rules, exceeding)
        if trial is not None and self._trial is not None:
            self._trial.send(trial)

    def _reads(self) -> dict[str, int]:
        return {**self.delivery.billed._asdict(), "included_users": self._included_users}

    def _keep_reads(self) -> None:
        """Write down what was read so far: what is kept or delivered must not be without a count."""
        posts, included_posts = self.delivery.billed
        counts = ReadCounts(posts, included_posts, self._included_users, self._settled.foreign)
        error = self._reads_file.write(counts)
        if error is not None and (count := self._unkept.add("reads")):
            about = fields(error=error.strerror or type(error).__name__, count=count)
            log.error("what was read cannot be written down", extra=about)

    # ---- posts that a gap lacked, from another thread

    def paid(
        self, posts: Sequence[str | None], included_posts: Sequence[str | None], included_users: int
    ) -> dict[str, int]:
        """Count what X bills for a page of found posts, and return that."""
        with self._lock:
            self._included_users += included_users
            new = self.delivery.bill(numbers_of(posts), numbers_of(included_posts), time.time())
            return {**new._asdict(), "included_users": included_users}

    def take_found(self, piece: SearchPiece, line: bytes) -> bool:
        """Deliver a found post; return False when it was delivered before, or the worker ends."""
        found = read_line(line)
        with self._lock:
            if self._drains or not isinstance(found, PostHead):
                self.tally.broken += not isinstance(found, PostHead)
                return False
            self.tally.received_bytes += len(line)
            post = number_of(found.post.id)
            if post is not None and self.delivery.has_seen(post):
                self._count_dropped()
                return False
            head, attribution = self._asked_by(piece).attribute(found, line)
            enricher = self._filling_enricher(piece.method, None)
            self._deliver(line, head, attribution, enricher, time.time())
            return True

    def take_recovered(self, line: bytes) -> Taken:
        """Deliver the post of a line unless it was delivered before, or the worker ends."""
        found = read_line(line)
        with self._lock:
            if not isinstance(found, PostHead):
                self.tally.broken += found.kind is LineKind.BROKEN
                return Taken(ends=found.kind in (LineKind.DISCONNECT, LineKind.PROBLEMS))
            if self._drains:
                return Taken()
            if self._editions.now is not self._edition:
                self._use(self._editions.now)
            self.tally.received_bytes += len(line)
            is_new, reads = self._take_filled(line, found, FillMethod.RECOVERY, time.time())
            return Taken(found.post.id, is_new, reads)

    def _take_past(self, raw: bytes, head: PostHead, backlog: Backlog, received_at_s: float) -> None:
        is_new, reads = self._take_filled(raw, head, FillMethod.BACKFILL, received_at_s)
        backlog.took(is_new, reads, time.monotonic())

    def _take_filled(
        self, raw: bytes, head: PostHead, method: FillMethod, received_at_s: float
    ) -> tuple[bool, dict[str, int]]:
        """Deliver a post that names its filters, unless it was delivered before; return its reads too."""
        post, included, users = number_of(head.post.id) or 0, included_posts(head), included_users(head)
        self._included_users += users
        reads = {**self.delivery.bill((post,), included, received_at_s)._asdict(), "included_users": users}
        if post and self.delivery.has_seen(post):
            self._count_dropped()
            return False, reads
        found = self._edition.attribute(head, raw)
        group = None if found.source is RuleSource.FOREIGN else self.birth.group
        self._deliver(raw, head, found, self._filling_enricher(method, group), received_at_s)
        return True, reads

    def _filling_enricher(self, method: FillMethod, group: GroupId | None) -> Enricher:
        if (method, group) not in self._filling:
            self._filling[method, group] = self.enricher(self._edition.rules, group, method)
        return self._filling[method, group]

    def expect_past(self, opened_unix: float) -> None:
        """Take posts from before this time as those of a gap, until none came for a while."""
        with self._lock:
            self._backlog = Backlog(opened_unix, time.monotonic())

    def past_taken(self, safe_until: float) -> PieceFetched | None:
        """Return, once, what came of a backfill that is over and in the outbox."""
        with self._lock:
            backlog = self._backlog
            if backlog is None or not backlog.is_over(time.monotonic()):
                return None
            if safe_until < backlog.last_at:
                return None
            self._backlog = None
        return PieceFetched(
            number=BACKFILLED,
            end=FillEnd.DONE,
            posts=backlog.posts,
            new=backlog.new,
            reads=backlog.reads,
        )

    def _asked_by(self, piece: SearchPiece) -> AskedQuery:
        """Return what a query stands for by the rules of now."""
        if self._editions.now is not self._edition:
            self._use(self._editions.now)
        if self._query is None or not self._query.is_of(self._edition, piece.meanings):
            self._query = AskedQuery.of(self._edition, piece.meanings)
        return self._query

    # ---- lines that are not posts

    def _take_other(self, line: bytes, found: OtherLine) -> None:
        match found.kind:
            case LineKind.BROKEN:
                self.tally.broken += 1
                self._show("a line of the stream is no JSON object", line)
                return
            case LineKind.UNKNOWN:
                self._show("a message of an unknown kind", line)
            case LineKind.PROBLEMS | LineKind.DISCONNECT:
                self._count_problems(found.problems)
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

    def _count_problems(self, problems: tuple[ProblemDocument, ...]) -> None:
        for problem in problems:
            self._count_error(name_of(problem))

    def _count_error(self, name: str) -> None:
        errors = self.tally.errors
        if name not in errors and len(errors) >= _MOST_KINDS:
            name = _OTHER_KINDS
        errors[name] = errors.get(name, 0) + 1

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
            self._drains = True  # posts that a gap lacked come no more
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
        counters = added(super().counters(log_lost), msgspec.structs.replace(self._settled))
        counters.reads = self._reads()
        if self._trial is not None:
            counters.trial = self._trial.counts()
        return counters
