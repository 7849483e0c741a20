"""One app at X: the filters that it should have, whether its stream may open, and for which rules it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from traptor.common.config.keys.key import ApiKey
from traptor.common.errors import TraptorError
from traptor.common.filters import Meaning
from traptor.common.logs.event import fields
from traptor.common.rules.rule import Rule
from traptor.supervisor.apps.bearer import Bearer
from traptor.supervisor.apps.composed import AppLimits, Composed, composed
from traptor.supervisor.apps.credit import Credit
from traptor.supervisor.apps.effect import InEffect, in_effect, next_effect
from traptor.supervisor.apps.findings import Findings
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.apps.spending import Spending, Terms
from traptor.supervisor.apps.told import Knowledge, ToldRules
from traptor.supervisor.apps.translated import Translated
from traptor.supervisor.apps.usage import UsageWatch
from traptor.supervisor.filters.composition import Composition
from traptor.supervisor.filters.sync.budget import RequestLimits
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal
from traptor.supervisor.filters.sync.meanings import meanings
from traptor.supervisor.filters.sync.runner import Outcome, Sync
from traptor.supervisor.filters.sync.standing import KNOWN_AFTER_S, Standing
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.money.reads import Reads
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.exchange import Exchange
from traptor.supervisor.xapi.failures import CapExceeded, KeyRefused, OutOfCredit, XFailure

log = logging.getLogger(__name__)

_MOST_ROUNDS = 40  # of composing and syncing in one turn; a batch of 100 is halved 7 times
_AGAIN_S = 60.0
_NO_TOKEN_S = 1.0  # until there may be a bearer token


class AppStore(Protocol):
    """Keeps facts on apps; StateStore does."""

    def save_app(self, key_id: str, what: str, dump: dict[str, Any]) -> None:
        """Save one kind of facts. Raises TraptorError."""

    def load_app(self, key_id: str, what: str) -> dict[str, Any] | None:
        """Return what was saved last. Raises TraptorError."""


@dataclass(frozen=True)
class AppSettings:
    """The operator's settings for one app."""

    limits: AppLimits
    terms: Terms = field(default_factory=Terms)
    requests: RequestLimits = field(default_factory=RequestLimits)
    look_s: float = 300.0  # between two looks at the filters at X
    usage_s: float = 3_600.0  # between two looks at X's own count
    credit_retry_s: float = 1_800.0


class App:
    """Owns everything about one app; `changed` is called when answers of its properties may differ.

    A hint, an answer of X or a time only says "look again"; `turn` does what is to be done.
    """

    def __init__(
        self,
        key: ApiKey,
        settings: AppSettings,
        exchange: Exchange,
        store: AppStore,
        clock: Callable[[], Instant],
        changed: Callable[[], object] = lambda: None,
        on_secret: Callable[[str], object] = lambda _secret: None,
    ) -> None:
        self.key = key
        self.exchange = exchange  # may be replaced, when the server's URL or a proxy changes
        self._settings = settings
        self._store = store
        self._clock = clock
        self._changed = changed
        self._wake = asyncio.Event()
        self.bearer = Bearer(key, clock, on_secret)
        self.spending = Spending(key.name, settings.terms, clock().wall, self._save_account)
        self.credit = Credit(key.name, settings.credit_retry_s, self._save_credit)
        self._usage = UsageWatch(key.name, settings.usage_s)
        self._sync = Sync(self._client(), settings.requests, clock, self._save_sync)
        self._groups: Sequence[Translated] | None = None  # None: Redis was not read yet
        self._is_seen = False  # X told its filters
        self._look_at = 0.0
        self._is_composed = False
        self._composed = Composed(Composition(()), Goal("", {}))
        self._outcome: Outcome | None = None
        self._again_at: float | None = None
        self._trouble: XFailure | None = None
        self._findings = Findings(key.name)
        self._told = ToldRules()
        self._in_effect: InEffect | None = None
        self._meanings: tuple[Meaning, ...] = ()
        self._knowledge = Knowledge()
        self._said: tuple[object, ...] = ()
        self._save_fails = False
        self._load()

    # ---- what others tell

    def serve(self, groups: Sequence[Translated]) -> None:
        """Set the groups that it serves, once they are known; a sync follows."""
        self._groups = tuple(groups)
        self._told.want(rule for group in groups for rule in group.rules)
        self.look()

    def look(self) -> None:
        """Have it look again: at its rules, not at X."""
        self._wake.set()

    def doubt(self) -> None:
        """Have it ask X which filters stand there: the stream was refused for want of them."""
        self._sync.doubt()
        self._is_seen = False
        self.look()

    def change(self, key: ApiKey, settings: AppSettings) -> None:
        """Take over changed credentials and settings."""
        if key.secrets_fingerprint != self.key.secrets_fingerprint:
            self._sync.retry()
        self.key, self._settings = key, settings
        self.bearer.change(key)
        self.spending.agree(settings.terms)
        self.credit.retry_s = settings.credit_retry_s
        self.look()

    def saw(self, filter_ids: Iterable[str]) -> None:
        """Take note of posts that named these filters: they are in effect."""
        now = self._clock().mono
        for filter_id in filter_ids:
            if filter_id in self._sync.standing.filters and not self._sync.standing.is_in_effect(
                filter_id, now
            ):
                self._sync.saw(filter_id)
                self.look()

    def read(self, reads: Reads) -> None:
        """Count what a worker read."""
        was_capped = self.spending.capped(self._clock().wall)
        self.spending.add(reads, self._clock().wall)
        if (self.spending.capped(self._clock().wall) is None) != (was_capped is None):
            self._changed()

    def out_of_credit(self, why: str, reset_at: float | None = None) -> None:
        """Record that X refused the stream for money."""
        self.credit.out(why, self._clock().wall, reset_at)
        self._changed()

    def retry(self) -> None:
        """End its waits for credit, for a valid token and for X: the operator says that it may be asked."""
        self.credit.forget()
        self.bearer.retry()
        self._sync.retry()
        self.look()
        self._changed()

    def connected(self) -> None:
        """Record that X opened the stream."""
        self.credit.good()

    def refused(self, token: str, why: str) -> None:
        """Record that X does not take this bearer token."""
        self.bearer.refused(token, why)
        self.look()

    # ---- what others ask

    @property
    def token(self) -> str:
        """The bearer token, or "" when there is none that X may take."""
        return self.bearer.token

    @property
    def knowledge(self) -> Knowledge:
        """What its workers match by: another object whenever it has changed."""
        return self._knowledge

    @property
    def client(self) -> XClient:
        """A client with its present token."""
        return self._sync.client

    @property
    def in_effect(self) -> InEffect | None:
        """The rules that its filters find posts for now; None until rules and filters are known."""
        return self._in_effect

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the filters stand for that posts may name."""
        return self._meanings

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules to match: those wanted, and earlier ones that posts may still come for."""
        return self._told.rules()

    @property
    def composed(self) -> Composed:
        """What its filters should be."""
        return self._composed

    @property
    def outcome(self) -> Outcome | None:
        """How far its last sync came; None before the first."""
        return self._outcome

    @property
    def standing(self) -> Standing:
        """What stands at X, as far as it is known."""
        return self._sync.standing

    @property
    def settings(self) -> AppSettings:
        """The operator's settings for it."""
        return self._settings

    @property
    def rules_wanted(self) -> int:
        """The number of rules that its groups have, and X's language can express."""
        return sum(len(group.rules) for group in self._groups or ())

    @property
    def again_at(self) -> float | None:
        """When its sync goes on (monotonic seconds); None when it waits for nothing."""
        return self._again_at

    @property
    def trouble(self) -> XFailure | None:
        """Why filters cannot be changed now."""
        return self._trouble

    @property
    def usage(self) -> UsageWatch:
        """X's own count."""
        return self._usage

    @property
    def is_refusing(self) -> bool:
        """True while it changes nothing, since filters of others stand there."""
        is_found = self._outcome is not None and bool(self._outcome.difference.foreign)
        return is_found and self._settings.limits.policy is ForeignFilters.REFUSE

    def hold(self) -> Hold | None:
        """Return the gravest reason for which its stream may not open, or None."""
        now = self._clock()
        if (hold := self.bearer.hold()) is not None:
            return hold
        if (missing := self.credit.missing(now.wall)) is not None:
            return Hold(HoldKind.OUT_OF_CREDIT, *missing)
        if (cap := self.spending.capped(now.wall)) is not None:
            text = f"{cap.kind} is reached: {cap.used:,.10g} of {cap.cap:,.10g}"
            return Hold(HoldKind.CAPPED, text, cap.ends_at)
        return self._hold_of_filters()

    def _hold_of_filters(self) -> Hold | None:
        if self._groups is None:
            return Hold(HoldKind.SYNCING, "its rules are not known yet")
        if not self._is_seen or self._outcome is None:
            why = f": {self._trouble}" if self._trouble is not None else ""
            return Hold(HoldKind.SYNCING, f"X has not told yet which filters stand in its app{why}")
        foreign = self._outcome.difference.foreign
        if self.is_refusing:
            values = ", ".join(repr(one.value) for one in foreign[:3])
            more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
            return Hold(HoldKind.FOREIGN_FILTERS, f"filters of others stand in its app: {values}{more}")
        if not self._outcome.difference.carried:
            return Hold(HoldKind.NO_FILTERS, "none of its rules has a filter at X")
        return None

    # ---- the work

    async def run(self) -> None:
        """Keep the filters as they are wanted, and ask for X's own count, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_filters())
            tasks.create_task(self._keep_usage())

    async def _keep_filters(self) -> None:
        while True:
            self._wake.clear()
            due = await self.turn()
            timeout_s = max(0.0, due - self._clock().mono)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), timeout_s)

    async def _keep_usage(self) -> None:
        while True:
            wait_s = await self.look_at_usage()
            await asyncio.sleep(wait_s)

    async def look_at_usage(self) -> float:
        """Ask X for its own count where it is time, and return in how many seconds it is again."""
        if not self.bearer.token:
            return _NO_TOKEN_S
        await self._usage.look(self._client(), self.spending, self._clock())
        return max(_NO_TOKEN_S, self._usage.due - self._clock().mono)

    async def turn(self) -> float:
        """Do what can be done now, and return when there is more to do (monotonic seconds)."""
        try:
            await self._turn()
        finally:
            self._tell()
        return self._due()

    async def _turn(self) -> None:
        await self.bearer.fetch(self.exchange)
        if not self.bearer.token:
            return
        self._sync.client = self._client()
        if not self._is_seen and not await self._first_look():
            return
        if self._groups is None:
            return
        if self._clock().mono >= self._look_at:
            self._sync.doubt()
        await self._bring()

    async def _first_look(self) -> bool:
        """Ask which filters stand at X, before anything is composed or changed."""
        self._take_trouble(await self._sync.run())
        self._is_seen = self._sync.standing.is_fresh
        self._look_at = self._clock().mono + self._settings.look_s
        return self._is_seen

    async def _bring(self) -> None:
        """Compose and sync until the composition stays; a refused value may change it."""
        for _ in range(_MOST_ROUNDS):
            was_fresh = self._sync.standing.is_fresh
            self._compose()
            self._outcome = await self._sync.run()
            self._take_trouble(self._outcome)
            if not was_fresh and self._sync.standing.is_fresh:
                self._look_at = self._clock().mono + self._settings.look_s
            if not self._compose():
                return
        self._look_at = min(self._look_at, self._clock().mono + _AGAIN_S)

    def _compose(self) -> bool:
        """Compose from what stands at X now; return whether other filters are wanted than before."""
        groups = self._groups or ()
        now = self._clock().mono
        before = self._composed.composition.filters if self._is_composed else None
        found = composed(groups, self._settings.limits, self._sync.standing, now, before)
        self._is_composed = True
        is_new = found.goal != self._composed.goal
        self._composed = found
        self._sync.want(found.goal)
        return is_new

    def _take_trouble(self, outcome: Outcome) -> None:
        self._again_at, trouble = outcome.again_at, outcome.trouble
        self._trouble = trouble
        now = self._clock()
        match trouble:
            case KeyRefused():
                self.bearer.refused(self.bearer.token, str(trouble))
            case OutOfCredit() | CapExceeded():
                self.credit.out(str(trouble), now.wall, self._reset_of(trouble))
        self._findings.take_trouble(trouble)

    def _reset_of(self, refusal: OutOfCredit | CapExceeded) -> float | None:
        """Return when X's cap begins anew; its `x-rate-limit-reset` is about something else."""
        if isinstance(refusal, OutOfCredit):
            return None
        account = self.spending.account
        return account.day_ends_at if refusal.is_daily else account.month_ends_at

    def _tell(self) -> None:
        """Work out what the filters stand for now, and tell when that changed."""
        now = self._clock().mono
        standing, groups = self._sync.standing, self._groups or ()
        if self._is_composed:
            self._in_effect = in_effect(groups, standing, now)
        self._meanings = meanings(standing, self._composed.goal, self._composed.demands, self._meanings, now)
        self._told.forget(self._meanings)
        self._findings.take(self._composed, self._outcome)
        hold = self.hold()
        if (knowledge := Knowledge(self.rules, self._meanings)) != self._knowledge:
            self._knowledge = knowledge
        said = (hold, self._in_effect, self._knowledge, self.bearer.token)
        if said != self._said:
            self._said = said
            self._changed()

    def _due(self) -> float:
        now, standing = self._clock(), self._sync.standing
        if (at := self.bearer.again_at()) is not None:
            return at
        leaving = (one.at + KNOWN_AFTER_S for one in standing.gone.values())
        hold = self.hold()
        times = (
            self._again_at,
            next_effect(standing, now.mono),
            self._look_at if standing.is_fresh else None,  # else a look is under way
            min((at for at in leaving if at > now.mono), default=None),
            now.mono + hold.until - now.wall if hold is not None and hold.until is not None else None,
        )
        return min((at for at in times if at is not None), default=now.mono + self._settings.look_s)

    def _client(self) -> XClient:
        return XClient(self.exchange, self.bearer.token)

    # ---- state_dir

    def close(self) -> None:
        """Record an orderly end."""
        self.spending.closed()

    def _load(self) -> None:
        loads: tuple[tuple[str, Callable[[dict[str, Any]], object]], ...] = (
            ("sync", self._sync.load),
            ("account", lambda dump: self.spending.load(dump, self._clock().wall)),
            ("credit", self.credit.load),
        )
        for what, load in loads:
            try:
                if (dump := self._store.load_app(self.key.key_id, what)) is not None:
                    load(dump)
            except TraptorError as error:
                log.warning("facts on an app are lost", extra=fields(key=self.key.name, error=str(error)))

    def _save_sync(self) -> None:
        self._save("sync", self._sync.dump())

    def _save_account(self) -> None:
        self._save("account", self.spending.dump())

    def _save_credit(self) -> None:
        self._save("credit", self.credit.dump())

    def _save(self, what: str, dump: dict[str, Any]) -> None:
        try:
            self._store.save_app(self.key.key_id, what, dump)
        except TraptorError as error:
            if not self._save_fails:
                log.warning(
                    "facts on an app are not saved", extra=fields(key=self.key.name, error=str(error))
                )
            self._save_fails = True
        else:
            self._save_fails = False
