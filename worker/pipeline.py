"""Take a line of the stream to its delivery: what the pipelines of both APIs have in common."""

from __future__ import annotations

import abc
import logging
import time
from collections.abc import Callable, Collection, Sequence

import msgspec

from traptor.common.birth import Birth
from traptor.common.counts import BY_KIND, Counters
from traptor.common.errors import ProtocolError
from traptor.common.logs.event import fields
from traptor.common.logs.excerpts import Excerpts
from traptor.common.logs.throttle import Tally
from traptor.common.messages import PieceFetched, Rules, SearchPiece, TrialReport
from traptor.common.redis.state import RedisState
from traptor.common.rules.rule import Rule
from traptor.worker.counters.buckets import Buckets
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.posts.past import Taken
from traptor.worker.sampler import Sampler
from traptor.worker.sinks.outputs import most_bytes
from traptor.worker.tweets.enrichers import Enrichers

log = logging.getLogger(__name__)


class Pipeline(abc.ABC):
    """Handles every message of one generation; for the main thread only, except where noted."""

    def __init__(self, birth: Birth, delivery: Delivery, stats: Stats | None) -> None:
        self.birth = birth
        self.delivery = delivery
        self.stats = stats
        self.tally = Counters()
        self.problem = ""  # of API v2: named by the last message, if it was an error
        self.is_over = False  # the server announced that the stream ends
        self.excerpts = Excerpts(log)
        self.enrichers = Enrichers(birth, most_bytes(birth.settings))
        self.sampler = Sampler()
        self._said = Tally()
        self._buckets = Buckets(birth.settings.rate_limits)
        self.has_rate_limits = False

    @abc.abstractmethod
    def open(self) -> None:
        """Prepare matching and connect to the output. Raises SinkError."""

    @abc.abstractmethod
    def take(self, lines: Sequence[bytes]) -> None:
        """Take lines that came together: each is to be handed over or counted, and never fatal."""

    @abc.abstractmethod
    def hand_over(self) -> None:
        """Give the output what the lines brought."""

    def handle(self, lines: Sequence[bytes]) -> None:
        """Handle lines that came together, by one read of the stream."""
        self.tally.received_bytes += sum(map(len, lines))
        try:
            self.take(lines)
        finally:
            self.hand_over()

    def follow(self, handled_until: Callable[[], float]) -> None:
        """Set the function that tells until when everything received was handled; call this first."""
        self.delivery.follow(handled_until)

    def open_output(self) -> None:
        """Connect to the output and begin to count. Raises SinkError."""
        self.delivery.open()
        if self.stats is not None:
            self.stats.start()

    def stream_opened(self) -> None:
        """Begin a new stream."""
        self.problem, self.is_over = "", False
        self.delivery.stream_opened()

    def limit_rates(self, rules: Sequence[Rule]) -> None:
        """Limit the rates of these rules, to which indexes refer from now on."""
        self._buckets.use(rules)
        self.has_rate_limits = len(self._buckets) > 0
        if self._buckets.unreadable:
            log.warning("rate limits of rules cannot be read", extra=fields(rules=self._buckets.unreadable))

    def exceeding(self, rules: Sequence[Rule], matched: Sequence[int]) -> Collection[int]:
        """Return which of the matched rules (indexes) exceed their rate limits now, and say so."""
        exceeding = self._buckets.exceeding(matched)
        if exceeding and (count := self._said.add("held")):
            rule = rules[next(iter(exceeding))]
            log.warning("a rule exceeds its rate limit", extra=fields(rule=rule.shown_key, count=count))
        return exceeding

    # ---- the end

    def keep(self) -> bool:
        """Commit the gathered messages; return False if that fails now, and a sudden end would lose them."""
        return self.delivery.keep()

    def drain(self, deadline: float) -> int:
        """Deliver until `deadline` (monotonic); return how many messages are left for another generation."""
        left = self.delivery.drain(deadline)
        if self.stats is not None:
            self.stats.stop(max(0.0, min(1.0, deadline - time.monotonic())))
        return left

    # ---- any thread

    def paid(
        self,
        fill: int,
        posts: Sequence[str | None],
        included_posts: Sequence[str | None],
        included_users: int,
    ) -> dict[str, int]:
        """Count what X bills for a page of found posts. Raises ProtocolError where none can be asked for."""
        raise ProtocolError("a page of posts for a stream that has no such pages")

    def take_found(self, piece: SearchPiece, line: bytes) -> bool:
        """Deliver a post that a gap lacked. Raises ProtocolError where none can be asked for."""
        raise ProtocolError(f"piece {piece.number} of a gap that is not filled")

    def take_recovered(self, fill: int, line: bytes) -> Taken:
        """Deliver a line of a recovery. Raises ProtocolError where none can be asked for."""
        raise ProtocolError("a recovery for a stream that has none")

    def expect_past(self, opened_unix: float) -> None:
        """Take posts from before a stream that opened at this time as those of a gap (the main thread).

        Raises ProtocolError where none can be asked for.
        """
        raise ProtocolError("a backfill of a stream that has none")

    def past_taken(self, safe_until: float) -> PieceFetched | None:
        """Return, once, what came of a backfill that is over and in the outbox."""
        return None

    @property
    def rules_change(self) -> int:
        """The number of the last change of rules in force."""
        return 0

    def change_rules(self, message: Rules) -> None:
        """Take a piece of a change of rules. Raises ProtocolError where rules cannot be changed."""
        raise ProtocolError(f"change {message.change} of rules that are fixed")

    def newly_seen_filters(self) -> tuple[str, ...]:
        """Return the filters that a post has named for the first time since the last call."""
        return ()

    def trial_report(self) -> TrialReport | None:
        """Return the state of the trial output; None when there is none."""
        return None

    @property
    def redis(self) -> tuple[RedisState, str]:
        """The state of Redis for the counters, with the error while it fails."""
        return self.stats.redis if self.stats is not None else (RedisState.UNKNOWN, "")

    def counters(self, log_lost: int) -> Counters:
        """Return a snapshot of all counters."""
        counts, latency = self.delivery.counts, self.delivery.latency
        by_kind = {kind: dict(getattr(self.tally, kind)) for kind in BY_KIND}
        return msgspec.structs.replace(
            self.tally,
            **{**by_kind, "latency": latency.by_step()},
            latency_ms=latency.total_ms,
            accepted=counts.accepted,
            delivered=counts.delivered,
            dead_letters=counts.dead_letters,
            redelivered=counts.redelivered,
            log_lost=log_lost,
        )
