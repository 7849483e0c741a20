"""Take a line of the v1.1 stream to its delivery: classify it, match it, and make the delivered message."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from traptor.common.birth import Birth
from traptor.common.logs.event import fields
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.match.matcher import Matcher
from traptor.worker.outbox.message import Outgoing
from traptor.worker.pipeline import Pipeline
from traptor.worker.tweets.enrich import without_traptor
from traptor.worker.tweets.limit_notices import LimitNotices
from traptor.worker.tweets.received import BROKEN, Kind, Message, read_message
from traptor.worker.tweets.timestamps import unix_ms_of_created_at
from traptor.worker.tweets.tweet import Tweet

log = logging.getLogger(__name__)


class TweetPipeline(Pipeline):
    """Handles the messages of `statuses/filter`."""

    def __init__(self, birth: Birth, delivery: Delivery, stats: Stats | None) -> None:
        super().__init__(birth, delivery, stats)
        self._limit_notices = LimitNotices()
        self._received_at_s = 0.0
        self._messages: list[Outgoing] = []  # that came together

    def open(self) -> None:
        """Build the matcher and connect to the output. Raises SinkError."""
        rules = self.birth.rules
        self._matcher = Matcher(rules)
        self._enricher = self.enrichers.of(rules, self.birth.group)
        self.limit_rates(rules)
        self.open_output()

    def stream_opened(self) -> None:
        """Begin a new stream, for which the server counts withheld tweets from zero."""
        self._limit_notices.reset()
        super().stream_opened()

    def take(self, lines: Sequence[bytes]) -> None:
        """Take lines that came together: each is to be handed over or counted, and never fatal."""
        self._received_at_s = time.time()
        for line in lines:
            message = read_message(line)
            if message.tweet is None:
                self._take_other(line, message)
                continue
            try:
                raw = without_traptor(line) if message.tweet.has_traptor else line
            except RecursionError:  # nested so deeply that it could be read once, but not again from here
                self._take_other(line, BROKEN)
                continue
            self._take_tweet(raw, message.tweet)

    def hand_over(self) -> None:
        """Give the output what the lines brought."""
        messages, self._messages = self._messages, []
        self.sampler.offer(messages)
        self.delivery.hand_over(messages)

    def _take_tweet(self, raw: bytes, tweet: Tweet) -> None:
        counters = self.tally
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
        if self.stats is not None:
            self.stats.received(matched)
        rules = self.birth.rules
        if self.has_rate_limits and (exceeding := self.exceeding(rules, matched)):
            if self.stats is not None:
                self.stats.held(exceeding)
            matched = [index for index in matched if index not in exceeding]
            if not matched:
                counters.held += 1
                return
        self._messages.append(
            Outgoing(
                body=self._enricher.enrich(raw, tweet.created_at, matched, inferred, self._received_at_s),
                tweet_id=tweet.id_str,
                rule_ids=tuple([rules[i].rule_id for i in matched]),
                created_at_ms=unix_ms_of_created_at(tweet.created_at) if tweet.created_at else None,
            )
        )

    def _take_other(self, line: bytes, message: Message) -> None:
        counters = self.tally
        if message.kind is Kind.BROKEN:
            counters.broken += 1
            self.excerpts.show("a line of the stream is no JSON object", line)
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
                self.excerpts.show("a message of an unknown kind", line)
        self._messages.append(Outgoing(body=line.strip(), tweet_id=None, rule_ids=()))

    def _take_limit(self, total: int) -> None:
        delta = self._limit_notices.newly_withheld(total)
        self.tally.limited += delta
        if self.stats is not None and delta:
            self.stats.limited(delta)


def _details(message: Message) -> dict[str, object]:
    return fields(code=message.code, reason=message.reason, percent_full=message.percent_full)
