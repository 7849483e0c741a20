"""Make the message of a post, or its two, and give it to the output with a claim that counts the post."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from traptor.common.birth import NATIVE_PAYLOAD, Birth
from traptor.common.counts import Counters
from traptor.common.fills import FillMethod
from traptor.common.logs.excerpts import Excerpts
from traptor.common.rules.rule import GroupId, Rule
from traptor.worker.counters.stats import Stats
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.dispatch.errorcounts import ErrorCounts
from traptor.worker.filters.edition import FOREIGN, INFERRED, MATCHED, Attribution, Edition
from traptor.worker.outbox.message import Outgoing
from traptor.worker.payload.rebuild import Rebuilt, rebuilt
from traptor.worker.posts.head import PostHead
from traptor.worker.posts.paid import included_posts
from traptor.worker.sampler import Sampler
from traptor.worker.seen.claim import Claim
from traptor.worker.trialoutput.output import TrialOutput
from traptor.worker.tweets.enrich import Enrichable, Enricher
from traptor.worker.tweets.enrichers import Enrichers
from traptor.worker.tweets.timestamps import unix_ms_of_created_at

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
        self.settled = Counters()  # counted by whichever thread settles claims
        self._delivery = delivery
        self._stats = stats
        self._trial = trial
        self._tally = tally
        self._enrichers = enrichers
        self._sampler = sampler
        self._errors = errors
        self._excerpts = excerpts
        self._group = birth.group
        self._is_one_of_two = birth.is_one_of_two
        self._payload = birth.settings.payload
        self._rebuilds = trial is not None or self._payload != NATIVE_PAYLOAD
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

    def deliver(
        self,
        raw: bytes,
        head: PostHead,
        post: int,
        found: Attribution,
        enricher: Enricher,
        received_at_s: float,
        is_repeated: bool = False,
        exceeding: Collection[int] = (),
    ) -> None:
        """Give a post to the output, unless all its rules exceed their rate limits; `post` is its number.

        Posts that a gap lacked exceed none: they come in bursts, paid for, and are not of the present.
        """
        rules, matched = self.edition.rules, found.rules
        if exceeding:
            matched = tuple(index for index in matched if index not in exceeding)
        included = () if head.includes is None else included_posts(head)
        settle = partial(self._settle, rules, found, exceeding, is_repeated)
        if exceeding and not matched:
            self._delivery.settle(Claim(post, included, received_at_s, self._is_one_of_two, settle))
            return
        tweet = self._rebuilt(raw) if self._rebuilds else None
        how = matched, found.source is INFERRED, received_at_s, is_repeated
        message = self._outgoing(self._payload, raw, tweet, head, enricher, *how)
        self._sampler.offer(message.body)
        if self._trial is not None:
            other = self._outgoing(self._trial.payload, raw, tweet, head, enricher, *how)
            settle = partial(settle, trial=other)
        claim = Claim(post, included, received_at_s, self._is_one_of_two, settle)
        self._delivery.gather(message, claim)

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
        received_at_s: float,
        is_repeated: bool,
    ) -> Outgoing:
        """Return the message for a post in one form, or as it came where it was not rebuilt."""
        assert head.data is not None
        post, rules = head.data, self.edition.rules
        created_at = post.created_at
        about: Enrichable = head
        if tweet is None or payload == NATIVE_PAYLOAD:
            payload = NATIVE_PAYLOAD
        else:
            raw, about = tweet, Rebuilt(created_at)
        return Outgoing(
            enricher.enrich(raw, about, matched, is_inferred, received_at_s, is_repeated),
            post.id,
            _ids_of(rules, matched),
            unix_ms_of_created_at(created_at) if created_at else None,
            payload,
            post.edit_of,
        )

    def _rebuilt(self, raw: bytes) -> bytes | None:
        """Return the post as a tweet of v1.1; one that cannot be rebuilt is delivered as it came."""
        tweet = rebuilt(raw)
        if tweet is None:
            self._errors.add(_NOT_REBUILT)
            self._excerpts.show("a post cannot be rebuilt as a tweet of v1.1", raw)
        return tweet

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
        tally = self.settled
        if not is_ours:
            tally.copies += 1
            return
        tally.received += 1
        if is_repeated:
            tally.repeated += 1
        if found.source is MATCHED:
            tally.matched += 1
        elif found.source is INFERRED:
            tally.inferred += 1
        else:
            tally.unmatched += 1
            is_foreign = found.source is FOREIGN
            tally.foreign += is_foreign
            tally.unattributed += not is_foreign
        if exceeding and len(exceeding) >= len(found.rules):
            tally.held += 1
        if self._stats is not None:
            self._stats.received_for(rules, found.rules)
            if exceeding:
                self._stats.held_for(rules, exceeding)
        if trial is not None and self._trial is not None:
            self._trial.gather(trial)


def _ids_of(rules: Sequence[Rule], matched: Sequence[int]) -> tuple[str, ...]:
    if len(matched) == 1:  # as nearly always
        return (rules[matched[0]].rule_id,)
    return tuple([rules[index].rule_id for index in matched])
