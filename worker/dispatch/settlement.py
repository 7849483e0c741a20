"""Count posts once it is known whose they are: ours, or those of the app's other worker."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from traptor.common.counts import Counters
from traptor.common.rules.rule import Rule
from traptor.worker.counters.stats import Stats
from traptor.worker.filters.attribution import FOREIGN, INFERRED, MATCHED, Attribution, RuleSource
from traptor.worker.outbox.message import Outgoing
from traptor.worker.posts.came import Came
from traptor.worker.posts.paid import included_in
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
        sources = [one.source for one in found]
        matched = sources.count(MATCHED)
        tally.matched += matched
        if matched < len(sources):
            for source in sources:
                self._count_unmatched(source)
        if self._stats is not None:
            self._stats.received_for(rules, found)

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
        if source is MATCHED:
            return
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

    def add(
        self, came: Came, found: Sequence[Attribution], exceeding: Sequence[Collection[int]] | None = None
    ) -> None:
        """Add posts with what was found for each, and which of its rules exceed their rate limits."""
        begin = len(self.posts)
        self.posts += came.numbers
        self.included += included_in(came.heads)
        self._found += found
        if True in came.seen:
            self._repeated += [at for at, is_repeated in enumerate(came.seen, begin) if is_repeated]
        if exceeding is not None:
            self._exceeding.update((at, over) for at, over in enumerate(exceeding, begin) if over)

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
