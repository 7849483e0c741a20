"""Count posts once it is known whose they are: ours, or those of the app's other worker."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from traptor.common.counts import Counters
from traptor.common.rules.rule import Rule
from traptor.worker.counters.stats import Stats
from traptor.worker.filters.edition import FOREIGN, INFERRED, MATCHED, Attribution, RuleSource
from traptor.worker.outbox.message import Outgoing
from traptor.worker.seen.claims import Ours, only
from traptor.worker.trialoutput.output import TrialOutput


class Settlement:
    """Counts posts, and gives the other form of them to the trial; whichever thread keeps posts calls it."""

    def __init__(self, stats: Stats | None, trial: TrialOutput | None) -> None:
        self.settled = Counters()
        self._stats = stats
        self._trial = trial

    def count(self, rules: Sequence[Rule], found: Sequence[Attribution], copies: int) -> None:
        """Count posts that are ours by what was found among these rules, and those that are another's."""
        tally = self.settled
        tally.copies += copies
        tally.received += len(found)
        for one in found:
            if one.source is MATCHED:
                tally.matched += 1
            else:
                self._count_unmatched(one.source)
        if self._stats is not None:
            self._stats.received_for(rules, [one.rules for one in found])

    def count_held(self, rules: Sequence[Rule], found: Attribution, exceeding: Collection[int]) -> None:
        """Count that some rules of a post exceed their rate limits."""
        self.settled.held += len(exceeding) >= len(found.rules)
        if self._stats is not None:
            self._stats.held_for(rules, exceeding)

    def try_out(self, messages: Sequence[Outgoing]) -> None:
        """Give posts that are ours to the trial."""
        if self._trial is not None:
            self._trial.gather(messages)

    def _count_unmatched(self, source: RuleSource) -> None:
        tally = self.settled
        if source is INFERRED:
            tally.inferred += 1
            return
        tally.unmatched += 1
        is_foreign = source is FOREIGN
        tally.foreign += is_foreign
        tally.unattributed += not is_foreign


class PostClaims:
    """The claims to posts that came together, which are counted when it is known whose they are."""

    def __init__(self, settlement: Settlement, rules: Sequence[Rule], received_at_s: float) -> None:
        self.received_at_s = received_at_s
        self.posts: list[int] = []
        self.included: list[tuple[int, ...]] = []
        self.ours: Ours = None
        self._settlement = settlement
        self._rules = rules
        self._found: list[Attribution] = []
        self._repeated: list[int] = []  # where among the posts
        self._exceeding: dict[int, Collection[int]] = {}  # by where among the posts
        self.trials: list[Outgoing] = []  # a message for each post, or none at all

    def add(self, post: int, included: tuple[int, ...], found: Attribution) -> None:
        """Add a post, by its number, with the posts in its includes."""
        self.posts.append(post)
        self.included.append(included)
        self._found.append(found)

    def note_last(self, is_repeated: bool, exceeding: Collection[int]) -> None:
        """Note of the last post that it came before, and which of its rules exceed their rate limits."""
        if is_repeated:
            self._repeated.append(len(self.posts) - 1)
        if exceeding:
            self._exceeding[len(self.posts) - 1] = exceeding

    def settle(self) -> None:
        """Count those that are ours, and the others as copies."""
        settlement, found = self._settlement, only(self.ours, self._found)
        settlement.count(self._rules, found, len(self._found) - len(found))
        if self._repeated or self._exceeding:
            self._settle_noted()
        if self.trials:
            settlement.try_out(only(self.ours, self.trials))

    def _settle_noted(self) -> None:
        for at in self._repeated:
            self._settlement.settled.repeated += self._is_ours(at)
        for at, exceeding in self._exceeding.items():
            if self._is_ours(at):
                self._settlement.count_held(self._rules, self._found[at], exceeding)

    def _is_ours(self, at: int) -> bool:
        return self.ours is None or self.ours[at]
