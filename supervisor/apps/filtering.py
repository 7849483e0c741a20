"""The filters of one app: what they should be, the sync that keeps them so, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from logging import ERROR, WARNING

from traptor.common.knowledge import Knowledge
from traptor.supervisor.apps.announcements import Announcements
from traptor.supervisor.apps.facts import Facts
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.apps.settings import AppSettings
from traptor.supervisor.apps.wanted.composed import Composed, composed
from traptor.supervisor.apps.wanted.effect import InEffect, in_effect, next_effect
from traptor.supervisor.apps.wanted.told import ToldRules
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.filters.composition import Composition
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal
from traptor.supervisor.filters.sync.meanings import Meanings, meanings
from traptor.supervisor.filters.sync.memory import changed_pieces
from traptor.supervisor.filters.sync.runner import Sync, SyncOutcome
from traptor.supervisor.filters.sync.standing import KNOWN_AFTER_S, Standing
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.failures import XFailure

_MOST_ROUNDS = 40  # of composing and syncing in one turn; a batch of 100 is halved 7 times
_AGAIN_S = 60.0
_SAVE_APART_S = 5.0  # between two savings of what stands at X, within a turn
_SHOWN = 3
_GOES_ON = "an open stream goes on; changed rules wait"
_WAITS = "no stream opens before X has told which filters stand in the app"


class Filtering:
    """Owns the filters of one app. `bring` does the work; whatever else is told only prepares it."""

    def __init__(
        self, name: str, settings: AppSettings, client: XClient, clock: Callable[[], Instant], facts: Facts
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._facts = facts
        self._announcements = Announcements(name)
        self._told = ToldRules()
        self._groups: Sequence[Translated] | None = None  # None: Redis was not read yet
        self._is_seen = False  # X told its filters
        self._look_at = 0.0
        self._noted_at = 0.0  # for when it was last worked out what the filters stand for
        self._saved = Standing()  # what of it is on the disk
        self._saved_at = 0.0
        self._sync = Sync(client, settings.requests, clock, self._save, self._announcements.take_deleted)
        self._again_at: float | None = None
        self._composed: Composed | None = None
        self.outcome: SyncOutcome | None = None  # how far the last sync came
        self.trouble: XFailure | None = None  # why filters cannot be changed now
        self.in_effect: InEffect | None = None  # the rules that find posts; None until they are known
        self._meanings = Meanings()
        self.knowledge = Knowledge()  # another object whenever it has changed
        facts.load("budget", lambda kept: self._sync.load({"budget": kept}))
        facts.load_pieces("standing", lambda kept: self._sync.load({"standing": kept}))
        self._saved = self._sync.standing

    # ---- what others tell

    def serve(self, groups: Sequence[Translated]) -> None:
        """Set the groups whose rules are wanted."""
        self._groups = tuple(groups)
        self._told.want(chain.from_iterable([group.rules for group in groups]))

    def change(self, settings: AppSettings) -> None:
        """Take over changed settings."""
        self._settings = settings

    def doubt(self) -> None:
        """Have X asked which filters stand there before anything else."""
        self._sync.doubt()
        self._is_seen = False

    def retry(self) -> None:
        """End the rest after a refusal of X."""
        self._sync.retry()

    def rest_until(self, until: float) -> None:
        """End the rest after a refusal by this time (monotonic seconds) at the latest."""
        self._again_at = self._sync.rest_until(until)

    def saw(self, filter_ids: Iterable[str]) -> bool:
        """Take note of posts that named these filters; tell whether one was not yet in effect."""
        now, is_new = self._clock().mono, False
        for filter_id in filter_ids:
            standing = self._sync.standing
            if filter_id in standing.filters and not standing.is_in_effect(filter_id, now):
                self._sync.saw(filter_id)
                is_new = True
        return is_new

    # ---- what others ask

    @property
    def groups(self) -> Sequence[Translated] | None:
        """The groups whose rules are wanted; None while they are not known."""
        return self._groups

    @property
    def composed(self) -> Composed:
        """What the filters should be; nothing until rules and filters are known."""
        return self._composed or Composed(Composition(()), Goal("", {}))

    @property
    def standing(self) -> Standing:
        """What stands at X, as far as it is known."""
        return self._sync.standing

    @property
    def rules_wanted(self) -> int:
        """The number of rules that the groups have, and X's language can express."""
        return sum(len(group.rules) for group in self._groups or ())

    @property
    def rules_valid(self) -> int:
        """The number of rules that the groups have, whether or not X's language can express them."""
        return sum(len(group.rules) + len(group.refused) for group in self._groups or ())

    @property
    def again_at(self) -> float | None:
        """When the sync goes on (monotonic seconds); None when it waits for nothing."""
        return self._again_at

    @property
    def _is_refusing(self) -> bool:
        """True while nothing is changed, since filters of others stand there."""
        is_found = self.outcome is not None and bool(self.outcome.difference.foreign)
        return is_found and self._settings.limits.policy is ForeignFilters.REFUSE

    def hold(self) -> Hold | None:
        """Return why the filters are no reason to open a stream, or None."""
        if self._groups is None:
            return Hold(HoldKind.SYNCING, "its rules are not known yet")
        if not self._is_seen or self.outcome is None:
            text = "X has not told yet which filters stand in its app"
            return self._without(HoldKind.SYNCING, text)
        if self._is_refusing:
            foreign = self.outcome.difference.foreign
            values = ", ".join(repr(one.value) for one in foreign[:_SHOWN])
            more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
            return Hold(HoldKind.FOREIGN_FILTERS, f"filters of others stand in its app: {values}{more}")
        if not (self.outcome.difference.is_carried or self.outcome.difference.kept):
            wanted = self.composed
            is_composed = wanted.is_of(self._groups, self._settings.limits)
            if self.rules_wanted and not (is_composed and self.outcome.difference.goal == wanted.goal):
                return self._without(HoldKind.SYNCING, "its filters are on their way to X")
            text = "none of its rules has a filter at X" if self.rules_wanted else "it has no rules"
            return self._without(HoldKind.NO_FILTERS, text)
        return None

    def _without(self, lacking: HoldKind, text: str) -> Hold:
        """Return the reason where something is lacking, which X may have refused."""
        if self.trouble is None:
            return Hold(lacking, text)
        now = self._clock()
        until = None if self._again_at is None else now.wall + self._again_at - now.mono
        return Hold.after(self.trouble, lacking, f"{text}: {self.trouble}", until)

    def due(self) -> float:
        """Return when there is more to do (monotonic seconds): what is later than `note` knew."""
        now, standing = self._noted_at, self._sync.standing
        leaving = (one.at + KNOWN_AFTER_S for one in standing.gone.values())
        times = (
            self._again_at,
            next_effect(standing, now),
            self._meanings.next_end(now),
            self._look_at if standing.is_fresh else None,  # else a look is under way
            min((at for at in leaving if at > now), default=None),
        )
        return min((at for at in times if at is not None), default=now + self._settings.look_s)

    # ---- the work

    async def bring(self, client: XClient) -> XFailure | None:
        """Do what can be done now, and return what X refused."""
        self._sync.client = client
        try:
            if (self._is_seen or await self._first_look()) and self._groups is not None:
                if self._clock().mono >= self._look_at:
                    self._sync.doubt()
                await self._bring()
        finally:
            self._save_standing(self._clock())
        return self.trouble

    def note(self) -> None:
        """Work out what the filters stand for now, and which rules are in effect."""
        now, standing = self._clock().mono, self._sync.standing
        self._noted_at = now
        if self._composed is not None:
            self.in_effect = in_effect(self._groups or (), standing, now, self.in_effect)
        self._meanings = meanings(self._sync.difference(now), self.composed.demands, self._meanings, now)
        self._told.forget(self._meanings.by_filter.values())
        if (knowledge := Knowledge(self._told.rules(), self._meanings.by_filter)) != self.knowledge:
            self.knowledge = knowledge
        foreign_level = ERROR if self._is_refusing else WARNING  # then no stream opens
        self._announcements.take(self.composed, self.outcome, foreign_level)

    async def _first_look(self) -> bool:
        """Ask which filters stand at X, before anything is composed or changed."""
        self._take(await self._sync.run())
        self._is_seen = self._sync.standing.is_fresh
        self._look_at = self._clock().mono + self._settings.look_s
        return self._is_seen

    async def _bring(self) -> None:
        """Compose and sync until the composition stays; a refused value may change it."""
        self._compose()
        for _ in range(_MOST_ROUNDS):
            was_fresh = self._sync.standing.is_fresh
            self.outcome = await self._sync.run()
            self._take(self.outcome)
            if not was_fresh and self._sync.standing.is_fresh:
                self._look_at = self._clock().mono + self._settings.look_s
            if not self._compose():
                return
        self._look_at = min(self._look_at, self._clock().mono + _AGAIN_S)

    def _compose(self) -> bool:
        """Compose from what stands at X now; return whether other filters are wanted than before."""
        before, now, limits = self._composed, self._clock().mono, self._settings.limits
        self._composed = composed(self._groups or (), limits, self._sync.standing, now, before)
        self._sync.want(self._composed.goal)
        return before is None or (self._composed is not before and self._composed.goal != before.goal)

    def _take(self, outcome: SyncOutcome) -> None:
        self._again_at, self.trouble = outcome.again_at, outcome.trouble
        self._announcements.take_trouble(outcome.trouble, _GOES_ON if self._is_seen else _WAITS)
        strange = self._sync.standing.strange(self._clock().mono)
        self._announcements.take_look(self._sync.take_vanished(), strange)

    # ---- state_dir

    def _save(self) -> None:
        """Save the budget before each request. What stands at X may be large, and a look finds it again."""
        now = self._clock()
        self._facts.save("budget", self._sync.budget.dump(now.mono, now.wall))
        if now.mono >= self._saved_at + _SAVE_APART_S:
            self._save_standing(now)

    def _save_standing(self, now: Instant) -> None:
        standing = self._sync.standing
        if pieces := changed_pieces(self._saved, standing, now.mono, now.wall):
            self._saved_at = now.mono
            if not self._facts.save_pieces("standing", pieces):
                return  # they are written with those to come
        self._saved = standing
