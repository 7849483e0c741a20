"""Take a line of the stream to its delivery: classify it, match it, and make the delivered message."""

from __future__ import annotations

import logging
import time
from typing import Final

import msgspec

from traptor.common.birth import Birth
from traptor.common.counts import BY_KIND, Counters
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Ration, Tally
from traptor.common.redis.state import RedisState
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.match.matcher import Matcher
from traptor.worker.outbox.message import Outgoing
from traptor.worker.sampler import Sampler
from traptor.worker.sinks.outputs import most_bytes
from traptor.worker.tweets.enrich import Enricher
from traptor.worker.tweets.limit_notices import LimitNotices
from traptor.worker.tweets.received import Kind, Message, read_message
from traptor.worker.tweets.timestamps import unix_ms_of_created_at
from traptor.worker.tweets.tweet import Tweet

log = logging.getLogger(__name__)

# This many broken lines and unknown messages per minute are shown; all are counted.
_SHOWN_A_MINUTE: Final = 10
_SHOWN_CHARS: Final = 200


class Pipeline:
    """Handles every message of one generation; for the main thread only, except where noted."""

    def __init__(self, birth: Birth, delivery: Delivery, stats: Stats | None) -> None:
        self._birth = birth
        self._delivery = delivery
        self._stats = stats
        self._counters = Counters()
        self._limit_notices = LimitNotices()
        self._shown = Ration(_SHOWN_A_MINUTE)
        self._tally = Tally()
        self.sampler = Sampler()

    def open(self) -> None:
        """Build the matcher and connect to the output. Raises SinkError."""
        birth = self._birth
        self._matcher = Matcher(birth.rules)
        self._enricher = Enricher(
            birth.rules,
            birth.connection,
            birth.generation,
            birth.settings.api,
            birth.group,
            extras=birth.settings.extras,
            most_bytes=most_bytes(birth.settings),
            on_truncated=self._say_truncated,
        )
        self._delivery.open()
        if self._stats is not None:
            self._stats.start()

    def stream_opened(self) -> None:
        """Begin a new stream, for which the server counts withheld tweets from zero."""
        self._limit_notices.reset()
        self._delivery.stream_opened()

    def handle(self, line: bytes) -> None:
        """Handle one line of the stream; whatever it is, it is delivered or counted, and never fatal."""
        self._counters.received_bytes += len(line)
        message = read_message(line)
        if message.tweet is not None:
            self._take_tweet(line, message.tweet)
        else:
            self._take_other(line, message)

    def _take_tweet(self, line: bytes, tweet: Tweet) -> None:
        counters = self._counters
        counters.received += 1
        matched = self._matcher.match(tweet)
        inferred = False
        if matched:
            counters.matched += 1
        elif matched := self._matcher.infer(tweet):
            inferred = True
            counters.inferred += 1
        else:
            counters.unmatched += 1
        if self._stats is not None:
            self._stats.received(matched)
        body = self._enricher.enrich(line, tweet, matched, inferred, time.time())
        self.sampler.offer(body)
        rules = self._birth.rules
        self._delivery.send(
            Outgoing(
                body=body,
                tweet_id=tweet.id_str,
                rule_ids=tuple([rules[i].rule_id for i in matched]),
                created_at_ms=unix_ms_of_created_at(tweet.created_at) if tweet.created_at else None,
            )
        )

    def _say_truncated(self, rules: int) -> None:
        if count := self._tally.add("truncated"):
            log.warning("rules of a tweet are cut to their ids", extra=fields(rules=rules, count=count))

    def _take_other(self, line: bytes, message: Message) -> None:
        counters = self._counters
        if message.kind is Kind.BROKEN:
            counters.broken += 1
            self._show("a line of the stream is no JSON object", line)
            return
        counters.other[message.kind] = counters.other.get(message.kind, 0) + 1
        match message.kind:
            case Kind.LIMIT if message.withheld is not None:
                self._take_limit(message.withheld)
            case Kind.DISCONNECT:
                log.warning("the server announces a disconnect", extra=_details(message))
            case Kind.WARNING:
                log.warning("the server warns", extra=_details(message))
            case Kind.UNKNOWN:
                self._show("a message of an unknown kind", line)
        self._delivery.send(Outgoing(body=line.strip(), tweet_id=None, rule_ids=()))

    def _take_limit(self, total: int) -> None:
        delta = self._limit_notices.newly_withheld(total)
        self._counters.limited += delta
        if self._stats is not None and delta:
            self._stats.limited(delta)

    def _show(self, what: str, line: bytes) -> None:
        if self._shown.take():
            log.warning(what, extra=fields(start=line[:_SHOWN_CHARS].decode(errors="replace")))

    # ---- the end

    def drain(self, deadline: float) -> int:
        """Deliver until `deadline` (monotonic); return how many messages are left for another generation."""
        left = self._delivery.drain(deadline)
        if self._stats is not None:
            self._stats.stop(max(0.0, min(1.0, deadline - time.monotonic())))
        return left

    # ---- any thread

    @property
    def redis(self) -> tuple[RedisState, str]:
        """The state of Redis for the counters, with the error while it fails."""
        return self._stats.redis if self._stats is not None else (RedisState.UNKNOWN, "")

    def counters(self, log_lost: int) -> Counters:
        """Return a snapshot of all counters."""
        counts = self._delivery.counts
        return msgspec.structs.replace(
            self._counters,
            **{kind: dict(getattr(self._counters, kind)) for kind in BY_KIND},
            accepted=counts.accepted,
            delivered=counts.delivered,
            dead_letters=counts.dead_letters,
            redelivered=counts.redelivered,
            log_lost=log_lost,
        )


def _details(message: Message) -> dict[str, object]:
    return fields(code=message.code, reason=message.reason, percent_full=message.percent_full)
