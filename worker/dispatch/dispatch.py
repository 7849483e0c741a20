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
from traptor.worker.filters.attribution import FOREIGN, INFERRED, Attribution
from traptor.worker.filters.edition import Edition
from traptor.worker.outbox.message import Outgoing
from traptor.worker.payload.rebuild import rebuilt
from traptor.worker.posts.came import Came
from traptor.worker.posts.head import PostHead, edits_of
from traptor.worker.sampler import Sampler
from traptor.worker.seen.claims import only
from traptor.worker.trialoutput.output import TrialOutput
from traptor.worker.tweets.enrich import Enricher, time_of
from traptor.worker.tweets.enrichers import Enrichers
from traptor.worker.tweets.label import Label

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
        self, came: Came, found: Sequence[Attribution], exceeding: Sequence[Collection[int]] | None = None
    ) -> None:
        """Add posts of the stream, but not those whose rules all exceed their rate limits."""
        told = found
        if exceeding is not None:
            told = [*map(_within_limits, found, exceeding)]
            is_held = [bool(over) and not one.rules for one, over in zip(told, exceeding, strict=True)]
            if True in is_held:
                self._hold(came.only(is_held), only(is_held, found), only(is_held, exceeding))
                others = [not one for one in is_held]
                came, found = came.only(others), only(others, found)
                told, exceeding = only(others, told), only(others, exceeding)
        labels = [self._label(one) if one.label is None else one.label for one in told]
        self._add(came, labels, self.enricher)
        self._claims.add(came, found, exceeding)

    def deliver_filled(self, came: Came, found: Attribution, enricher: Enricher) -> None:
        """Add a post that a gap lacked.

        Such posts exceed no rate limits: they come in bursts, paid for, and are not of the present.
        """
        label = enricher.label(found.rules, found.source is INFERRED)
        self._add(came, [label], enricher)
        self._claims.add(came, [found])

    def hand_over(self) -> None:
        """Give the output the posts that came together."""
        self._sampler.offer(self._messages)
        self._delivery.hand_over(self._messages, self._claims)

    def _hold(self, came: Came, found: Sequence[Attribution], exceeding: Sequence[Collection[int]]) -> None:
        """Count posts that are not delivered."""
        claims = PostClaims(self._settlement, self.edition.rules, self._claims.received_at_s)
        claims.add(came, found, exceeding)
        self._delivery.settle(claims)

    def count_dropped(self) -> None:
        """Count a post that was taken before, and is not delivered."""
        if self._is_one_of_two:
            self._tally.copies += 1
        else:
            self._tally.received += 1
            self._tally.repeated += 1

    def _label(self, found: Attribution) -> Label:
        """Make the label of an attribution; it is kept unless it has a copy of several rules."""
        enricher = self.foreign if found.source is FOREIGN else self.enricher
        label = enricher.label(found.rules, found.source is INFERRED)
        if len(found.rules) < 2:
            found.label = label
        return label

    def _add(self, came: Came, labels: Sequence[Label], enricher: Enricher) -> None:
        """Add the messages for posts."""
        tweets = [*map(self._rebuilt, came.raws, came.heads, came.numbers)] if self.rebuilds else []
        self._messages += self._outgoing(self._payload, came, tweets, labels, enricher)
        if self._trial is not None:
            self._claims.trials += self._outgoing(self._trial.payload, came, tweets, labels, enricher)

    def _outgoing(
        self,
        payload: str,
        came: Came,
        tweets: Sequence[bytes | None],
        labels: Sequence[Label],
        enricher: Enricher,
    ) -> list[Outgoing]:
        """Return the messages for posts in one form, or as they came where they were not rebuilt."""
        raws, forms = came.raws, [NATIVE_PAYLOAD] * len(came.raws)
        if payload != NATIVE_PAYLOAD:
            raws = [raw if tweet is None else tweet for raw, tweet in zip(raws, tweets, strict=True)]
            forms = [NATIVE_PAYLOAD if tweet is None else payload for tweet in tweets]
        times = [time_of(post.created_at) for post in came.posts]
        rule_ids = [label.rule_ids for label in labels]
        bodies = enricher.enrich_all(raws, times, labels, came.seen, self._claims.received_at_s)
        edits = edits_of(came.posts)
        return [
            Outgoing(body, post.id, rules, time.unix_ms, form, edit)
            for body, post, rules, time, form, edit in zip(
                bodies, came.posts, rule_ids, times, forms, edits, strict=True
            )
        ]

    def _rebuilt(self, raw: bytes, head: PostHead, post: int) -> bytes | None:
        """Return the post as a tweet of v1.1; one that cannot be rebuilt is delivered as it came."""
        tweet = rebuilt(raw, head, post)
        if tweet is None:
            self._errors.add(_NOT_REBUILT)
            self._excerpts.show("a post cannot be rebuilt as a tweet of v1.1", raw)
        return tweet


def _within_limits(found: Attribution, exceeding: Collection[int]) -> Attribution:
    """Return the rules that do not exceed their rate limits."""
    if not exceeding:
        return found
    return Attribution(found.source, tuple([index for index in found.rules if index not in exceeding]))
