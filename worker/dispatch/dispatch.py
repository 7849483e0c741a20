"""Make the messages of posts, one or two for each, and give them to the output with claims to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from traptor.common.birth import NATIVE_PAYLOAD, Birth
from traptor.common.counts import Counters
from traptor.common.fills import FillMethod
from traptor.common.logs.excerpts import Excerpts
from traptor.common.rules.rule import GroupId
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.dispatch.errorcounts import ErrorCounts
from traptor.worker.dispatch.settlement import PostClaims, Settlement
from traptor.worker.filters.edition import INFERRED, Attribution, Edition
from traptor.worker.outbox.message import Outgoing
from traptor.worker.payload.rebuild import rebuilt
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.paid import included_posts
from traptor.worker.sampler import Sampler
from traptor.worker.trialoutput.output import TrialOutput
from traptor.worker.tweets.enrich import Enricher, without_traptor
from traptor.worker.tweets.enrichers import Enrichers
from traptor.worker.tweets.timestamps import unix_ms_of_created_at
from traptor.worker.tweets.tweet import NO_MEMBER

_NOT_REBUILT: Final = "not rebuilt"


class Dispatch:
    """Gives posts to the output, and to the trial's, by the rules of one edition at a time."""

    def __init__(
        self,
        birth: Birth,
        delivery: Delivery,
        stats: Stats | None,
        trial: TrialOutput | None,
        tally: Counters,
        enrichers: Enrichers,
        sampler: Sampler,
        errors: ErrorCounts,
        excerpts: Excerpts,
    ) -> None:
        self._settlement = Settlement(stats, trial)
        self.settled = self._settlement.settled  # counted by whichever thread settles claims
        self._delivery = delivery
        self._trial = trial
        self._tally = tally
        self._enrichers = enrichers
        self._sampler = sampler
        self._errors = errors
        self._excerpts = excerpts
        self._group = birth.group
        self._is_one_of_two = birth.is_one_of_two
        self._payload = birth.settings.payload
        self.rebuilds = trial is not None or self._payload != NATIVE_PAYLOAD
        self._filling: dict[tuple[FillMethod, GroupId | None], Enricher] = {}

    def use(self, edition: Edition) -> None:
        """Deliver by another edition from now on."""
        self.edition = edition
        self.enricher = self._enrichers.of(edition.rules, self._group)
        self.foreign = self._enrichers.of(edition.rules, None)
        self._filling = {}

    def filling(self, method: FillMethod, group: GroupId | None) -> Enricher:
        """Return what enriches posts that a gap lacked."""
        if (method, group) not in self._filling:
            self._filling[method, group] = self._enrichers.of(self.edition.rules, group, method)
        return self._filling[method, group]

    def begin(self, received_at_s: float) -> None:
        """Begin with posts that came together, at this unix time."""
        self._messages: list[Outgoing] = []
        self._claims = PostClaims(self._settlement, self.edition.rules, received_at_s)

    def deliver(
        self,
        raw: bytes,
        head: PostHead,
        post: int,
        found: Attribution,
        enricher: Enricher,
        is_repeated: bool = False,
        exceeding: Collection[int] = (),
    ) -> None:
        """Add a post, unless all its rules exceed their rate limits; `post` is its number.

        Posts that a gap lacked exceed none: they come in bursts, paid for, and are not of the present.
        """
        claims, matched = self._claims, found.rules
        included = () if head.includes is None else included_posts(head)
        if exceeding:
            matched = tuple(index for index in matched if index not in exceeding)
            if not matched:
                self._hold(post, included, found, is_repeated, exceeding)
                return
        tweet = self._rebuilt(raw, head, post) if self.rebuilds else None
        if head.traptor is not NO_MEMBER:
            raw = without_traptor(raw)
        is_inferred = found.source is INFERRED
        message = self._outgoing(self._payload, raw, tweet, head, enricher, matched, is_inferred, is_repeated)
        if self._trial is not None:
            payload = self._trial.payload
            trial = self._outgoing(payload, raw, tweet, head, enricher, matched, is_inferred, is_repeated)
            claims.trials.append(trial)
        self._messages.append(message)
        claims.add(post, included, found)
        if is_repeated or exceeding:
            claims.note_last(is_repeated, exceeding)

    def hand_over(self) -> None:
        """Give the output the posts that came together."""
        self._sampler.offer(self._messages)
        self._delivery.hand_over(self._messages, self._claims)

    def _hold(
        self,
        post: int,
        included: tuple[int, ...],
        found: Attribution,
        is_repeated: bool,
        exceeding: Collection[int],
    ) -> None:
        """Count a post that is not delivered."""
        claims = PostClaims(self._settlement, self.edition.rules, self._claims.received_at_s)
        claims.add(post, included, found)
        claims.note_last(is_repeated, exceeding)
        self._delivery.settle(claims)

    def count_dropped(self) -> None:
        """Count a post that was taken before, and is not delivered."""
        if self._is_one_of_two:
            self._tally.copies += 1
        else:
            self._tally.received += 1
            self._tally.repeated += 1

    def _outgoing(
        self,
        payload: str,
        raw: bytes,
        tweet: bytes | None,
        head: PostHead,
        enricher: Enricher,
        matched: Sequence[int],
        is_inferred: bool,
        is_repeated: bool,
    ) -> Outgoing:
        """Return the message for a post in one form, or as it came where it was not rebuilt."""
        assert head.data is not None
        post, rules = head.data, self.edition.rules
        created_at = post.created_at
        if tweet is None or payload == NATIVE_PAYLOAD:
            payload = NATIVE_PAYLOAD
        else:
            raw = tweet
        at_s = self._claims.received_at_s
        rule_ids: tuple[str, ...] = (rules[matched[0]].rule_id,) if matched else ()
        if len(matched) > 1:
            rule_ids = tuple([rules[index].rule_id for index in matched])
        return Outgoing(
            enricher.enrich(raw, created_at, matched, is_inferred, at_s, is_repeated),
            post.id,
            rule_ids,
            unix_ms_of_created_at(created_at) if created_at else None,
            payload,
            post.edit_of,
        )

    def _rebuilt(self, raw: bytes, head: PostHead, post: int) -> bytes | None:
        """Return the post as a tweet of v1.1; one that cannot be rebuilt is delivered as it came."""
        tweet = rebuilt(raw, head, post)
        if tweet is None:
            self._errors.add(_NOT_REBUILT)
            self._excerpts.show("a post cannot be rebuilt as a tweet of v1.1", raw)
        return tweet
