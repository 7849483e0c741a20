"""Carries a sync out: one request after the other, within the budget, until there is nothing to do now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traptor.common.logs.event import fields
from traptor.supervisor.filters.sync.budget import RequestKind, RequestLimits, RuleBudget, load_budget
from traptor.supervisor.filters.sync.difference import FilterDifference, difference
from traptor.supervisor.filters.sync.goal import Goal
from traptor.supervisor.filters.sync.memory import changed_pieces, load_standing
from traptor.supervisor.filters.sync.rest import NO_REST
from traptor.supervisor.filters.sync.standing import Standing
from traptor.supervisor.filters.sync.steps import (
    BATCH,
    Add,
    Delete,
    ListFilters,
    Settled,
    Step,
    WaitForEffect,
    next_step,
)
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import NewFilter
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.failures import (
    BadAnswer,
    RateLimited,
    RequestRefused,
    RuleCapExceeded,
    ServerTrouble,
    XFailure,
)
from traptor.supervisor.xapi.quota import Quota

log = logging.getLogger(__name__)

_MOST_PAGES = 200
_MOST_ODD = 3  # values that X refuses with one text that no document gives: then it is not about values
_NO_GOAL = Goal("", {})


@dataclass(frozen=True)
class SyncOutcome:
    """How far a sync came."""

    difference: FilterDifference
    again_at: float | None = None  # when there is more to do (monotonic seconds)
    trouble: XFailure | None = None  # what X refused, or why it cannot be asked
    unplaced: tuple[str, ...] = ()  # wanted values without room


class Sync:
    """Keeps the filters of one app as they are wanted.

    `clock` gives the time; `save` is called whenever what `dump` returns has changed, before each request
    and after each answer; `tell_deleted` with filters of others as soon as X has deleted them.
    """

    def __init__(
        self,
        client: XClient,
        limits: RequestLimits,
        clock: Callable[[], Instant],
        save: Callable[[], object] = lambda: None,
        tell_deleted: Callable[[Sequence[ListedFilter]], object] = lambda _filters: None,
    ) -> None:
        self.client = client  # may be replaced, when the bearer token changes
        self.goal = _NO_GOAL
        self.standing = Standing()
        self.budget = RuleBudget(limits)
        self._clock = clock
        self._save = save
        self._tell_deleted = tell_deleted
        self._turn = asyncio.Lock()
        self._found: FilterDifference | None = None  # the last difference
        self._is_changing = False  # a change was asked for, and its answer is not here
        self._knows_all = False  # X told all filters, and what became of each change since
        self._vanished: list[ListedFilter] = []
        self._doubts = 0
        self._odd: list[str] = []  # what X said of single values in such a form, in a row
        self._rest = NO_REST

    def want(self, goal: Goal) -> None:
        """Set what is wanted; a run that is under way goes on with it."""
        self.goal = goal

    def doubt(self) -> None:
        """Have the next run list the filters: the periodic look, or a 409 of the stream."""
        self._doubts += 1
        self.standing = self.standing.doubted()

    def saw(self, filter_id: str) -> None:
        """Take note of a post that named a filter: it is in effect."""
        self.standing = self.standing.seen(filter_id, self._clock().mono)

    def retry(self) -> None:
        """End a rest, when a key was replaced or the operator says so; the budget stays."""
        self._rest = NO_REST

    def rest_until(self, until: float) -> float:
        """End a rest by this time (monotonic seconds) at the latest; return when it ends."""
        self._rest = self._rest.ended_by(until, self._clock().mono)
        return self._rest.until

    def take_vanished(self) -> list[ListedFilter]:
        """Return the filters that looks no longer found, though nothing here deleted them; once each."""
        vanished, self._vanished = self._vanished, []
        return vanished

    def dump(self) -> dict[str, Any]:
        """Return what a next master needs, as JSON values."""
        now = self._clock()
        return {
            "budget": self.budget.dump(now.mono, now.wall),
            "standing": changed_pieces(Standing(), self.standing, now.mono, now.wall),
        }

    def load(self, dump: Mapping[str, Any]) -> None:
        """Take over what an earlier master knew, or one part of it. Raises TraptorError."""
        now = self._clock()
        if "budget" in dump:
            self.budget = load_budget(dump["budget"], self.budget.limits, now.mono, now.wall)
        if "standing" in dump:
            self.standing = load_standing(dump["standing"], now.mono, now.wall)

    def difference(self, now: float) -> FilterDifference:
        """Return what stands there otherwise than wanted; it is worked out where something has changed."""
        found = self._found
        if (
            found is None
            or found.standing is not self.standing
            or found.goal is not self.goal
            or found.until <= now
        ):
            found = self._found = difference(self.standing, self.goal, now)
        return found

    async def run(self) -> SyncOutcome:
        """Make requests until nothing can be done now; raises nothing that X may cause."""
        async with self._turn:
            if self._is_changing:  # an earlier run was ended before its answer came
                self._in_doubt()
            while True:
                now = self._clock().mono
                found = self.difference(now)
                step = next_step(self.standing, self.goal, now, found)
                if (ended := self._ended(step, found, now)) is not None:
                    return ended
                await self._carry_out(step)

    def _ended(self, step: Step, found: FilterDifference, now: float) -> SyncOutcome | None:
        """Return the outcome when the step is to wait; None when a request is to be made."""
        if self._rest.holds(now):
            return SyncOutcome(found, self._rest.until, self._rest.trouble)
        match step:
            case Settled(unplaced):
                self.standing = self.standing.without_splits()
                return SyncOutcome(found, unplaced=unplaced)
            case WaitForEffect(until):
                return SyncOutcome(found, until)
        kind = _kind_of(step)
        if (free_at := self.budget.free_at(kind, now)) <= now:
            due = self.budget.paced_at(kind, now) if self._gathers(step, found) else now
            return SyncOutcome(found, due) if due > now else None
        trouble = self._rest.trouble or RateLimited(self.budget.why_none(kind, now))
        return SyncOutcome(found, free_at, trouble)

    def _gathers(self, step: Step, found: FilterDifference) -> bool:
        """Tell whether a step may wait for more to be done with it.

        Nothing waits while no rule has a filter, or while a refused batch is parted: that is one change.
        """
        match step:
            case Add(filters):
                size = len(filters)
            case Delete(ids):
                size = len(ids)
            case _:
                return False
        return size < BATCH and found.is_carried and not self.standing.splits

    async def _carry_out(self, step: Step) -> None:
        kind = _kind_of(step)
        try:
            match step:
                case ListFilters():
                    await self._look()
                case Add(filters):
                    await self._add(filters)
                case Delete(ids):
                    await self._delete(ids)
        except RuleCapExceeded as failure:
            await self._count(failure, len(step.filters) if isinstance(step, Add) else 0)
        except XFailure as failure:
            self._failed(failure, kind)
        else:
            self._rest = self._rest.worked(kind)

    async def _look(self) -> None:
        found: list[ListedFilter] = []
        token, doubts = "", self._doubts
        for _ in range(_MOST_PAGES):
            self._spend(RequestKind.LIST)
            page = await self.client.filter_page(token)
            self._told(RequestKind.LIST, page.quota)
            found += page.filters
            token = page.next_token
            now = self._clock().mono
            if not token:
                standing = self._listed(found, now)
                self._keep(standing if doubts == self._doubts else standing.doubted())
                return
            if self.budget.free_at(RequestKind.LIST, now) > now:
                return  # the list begins anew when there are requests for it
        raise BadAnswer(f"list filters: the list does not end after {_MOST_PAGES} pages")

    def _listed(self, found: Sequence[ListedFilter], now: float) -> Standing:
        before, standing = self.standing, self.standing.listed(found, now)
        self._vanished += [one for key, one in before.filters.items() if key not in standing.filters]
        if self._knows_all:
            standing = standing.estranged(before, self.goal.prefix, now)
        self._knows_all = True
        return standing

    async def _add(self, filters: Sequence[NewFilter]) -> None:
        self._spend(RequestKind.CHANGE)
        self._is_changing = True
        answer, quota = await self.client.add(filters)
        self._told(RequestKind.CHANGE, quota)
        values = [one.value for one in filters]
        self._keep(self.standing.added(values, answer, self._clock().mono))
        if not answer.is_odd:
            self._odd = []
        elif len(values) == 1:
            self._odd = [*[said for said in self._odd if said == answer.reason], answer.reason]
        if len(self._odd) == _MOST_ODD:
            self._odd = []
            raise RequestRefused(answer.reason, quota)

    async def _delete(self, ids: Sequence[str]) -> None:
        self._spend(RequestKind.CHANGE)
        self._is_changing = True
        found_all, quota = await self.client.delete(ids)
        self._told(RequestKind.CHANGE, quota)
        deleted = [self.standing.filters[key] for key in ids if key in self.standing.filters]
        if others := [one for one in deleted if not (one.tag or "").startswith(self.goal.prefix)]:
            self._tell_deleted(others)
        self._keep(self.standing.deleted(ids, self._clock().mono, found_all=found_all))

    async def _count(self, refusal: RuleCapExceeded, sent: int) -> None:
        """Learn how many more filters X takes; none where it does not tell.

        Where its counts have room for what was sent, or were kept to already, they deny the refusal: it is
        asked again as after any other failure.
        """
        self._told(RequestKind.CHANGE, refusal.quota)
        now = self._clock().mono
        room = 0
        if self.budget.free_at(RequestKind.LIST, now) <= now:
            self._spend(RequestKind.LIST)
            try:
                room = (await self.client.counts()).room
            except XFailure as failure:
                log.debug("filters cannot be counted", extra=fields(error=str(failure)))
        now = self._clock().mono
        if room >= max(1, sent) or (room and self.standing.full_until > now):
            denied = RuleCapExceeded(f"{refusal}; by its own counts {room:,} more have room")
            self._rest = self._rest.after(denied, RequestKind.CHANGE, now)
        self._keep(self.standing.capped(room, now))

    def _failed(self, failure: XFailure, kind: RequestKind) -> None:
        now = self._clock()
        if isinstance(failure, RateLimited):
            self._is_changing = False
            self.budget = self.budget.refused(kind, failure.quota, now.mono, now.wall)
        elif isinstance(failure, ServerTrouble | BadAnswer):
            self._in_doubt()
            self.budget = self.budget.told(kind, failure.quota, now.mono, now.wall)
        else:
            self._told(kind, failure.quota)
        self._rest = self._rest.after(failure, kind, now.mono)
        self._save()

    def _spend(self, kind: RequestKind) -> None:
        self.budget = self.budget.spend(kind, self._clock().mono)
        self._save()

    def _told(self, kind: RequestKind, quota: Quota) -> None:
        """Take note of an answer that says for certain what became of the request."""
        now = self._clock()
        self._is_changing = False
        self.budget = self.budget.told(kind, quota, now.mono, now.wall)

    def _in_doubt(self) -> None:
        if self._is_changing:  # what it added is not known to be ours
            self._knows_all = False
        self._is_changing = False
        self.standing = self.standing.doubted()

    def _keep(self, standing: Standing) -> None:
        self.standing = standing
        self._save()


def _kind_of(step: Step) -> RequestKind:
    return RequestKind.LIST if isinstance(step, ListFilters) else RequestKind.CHANGE
