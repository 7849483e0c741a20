"""One app at X: the filters that it should have, whether its stream may open, and for which rules it runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from traptor.common.config.keys.key import ApiKey
from traptor.common.knowledge import Knowledge
from traptor.supervisor.apps.bearer import Bearer
from traptor.supervisor.apps.cost.spending import Spending
from traptor.supervisor.apps.cost.untold import UntoldReads
from traptor.supervisor.apps.cost.usage import UsageWatch
from traptor.supervisor.apps.credit import Credit
from traptor.supervisor.apps.facts import AppStore, Facts
from traptor.supervisor.apps.filtering import Filtering
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.apps.settings import AppSettings
from traptor.supervisor.apps.wanted.composed import Composed
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.apps.wanted.translated import Translated
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.money.reads import Reads
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.exchange import Exchange
from traptor.supervisor.xapi.failures import CapExceeded, KeyRefused, OutOfCredit, XFailure

_NO_TOKEN_S = 1.0  # until there may be a bearer token


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
        untold: UntoldReads,
        clock: Callable[[], Instant],
        changed: Callable[[], object] = lambda: None,
        on_secret: Callable[[str], object] = lambda _secret: None,
    ) -> None:
        facts = Facts(key, store)
        self.key = key
        self.settings = settings
        self.exchange = exchange  # may be replaced, when the server's URL or a proxy changes
        self.bearer = Bearer(key, clock, on_secret)
        self.spending = Spending(
            key.name, settings.terms, clock().wall, lambda: facts.save("account", self.spending.dump())
        )
        self.credit = Credit(
            key.name, settings.credit_retry_s, lambda: facts.save("credit", self.credit.dump())
        )
        self.usage = UsageWatch(key.name, settings.usage_s)
        self.filtering = Filtering(key.name, settings, self.client, clock, facts)
        self._untold = untold
        self._clock = clock
        self._changed = changed
        self._wake = asyncio.Event()
        self._asked_with = ""  # the token of the last sync
        self._taken: XFailure | None = None  # the last failure of a sync
        self._said: tuple[object, ...] = ()
        facts.load("account", self.spending.load)
        self._count_untold()
        facts.load("credit", self.credit.load)

    # ---- what others tell

    def serve(self, groups: Sequence[Translated]) -> None:
        """Set the groups that it serves, once they are known; a sync follows."""
        self.filtering.serve(groups)
        self.look()

    def look(self) -> None:
        """Have it look again: at its rules, not at X."""
        self._wake.set()

    def doubt(self) -> None:
        """Have it ask X which filters stand there: the stream was refused for want of them."""
        self.filtering.doubt()
        self.look()

    def change(self, key: ApiKey, settings: AppSettings) -> None:
        """Take over changed credentials and settings."""
        if key.secrets_fingerprint != self.key.secrets_fingerprint:
            self.filtering.retry()
        self.key, self.settings = key, settings
        self.filtering.change(settings)
        self.bearer.change(key)
        self.spending.agree(settings.terms)
        self.credit.retry_s = settings.credit_retry_s
        self.look()

    @property
    def without_filter(self) -> Mapping[str, str]:
        """Why X has no filter for a rule, and gets none, by the rule's Redis key."""
        return self.composed.without_filter

    def saw(self, filter_ids: Iterable[str]) -> None:
        """Take note of posts that named these filters: they are in effect."""
        if self.filtering.saw(filter_ids):
            self.look()

    def read(self, worker: str, total: Reads) -> None:
        """Count what a worker has read in all."""
        self._read(worker, total, self._clock().wall)

    def ended(self, worker: str) -> None:
        """Count what a worker whose process is gone had read and not told."""
        if (untold := self._untold.of(worker)) is not None:
            self._read(*untold)
            self._untold.remove(worker)
        self.spending.forget(worker)

    def out_of_credit(self, why: str) -> None:
        """Record that X refused the stream since the account has no credit."""
        self.credit.out(why, self._clock().wall)
        self._changed()

    def usage_capped(self, why: str) -> None:
        """Record that X refused the stream since a usage cap is reached, which may be a daily one."""
        now = self._clock().wall
        self.credit.out(why, now, self.spending.account.at(now).day_ends_at)
        self._changed()

    def retry(self) -> None:
        """End its waits for credit, for a valid token and for X: the operator says that it may be asked."""
        self.credit.forget()
        self.bearer.retry()
        self.filtering.retry()
        self.look()
        self._changed()

    def connected(self) -> None:
        """Record that X opened the stream."""
        self.credit.good()

    def refused(self, token: str, why: str) -> None:
        """Record that X does not take this bearer token."""
        self.bearer.refused(token, why)
        self.look()

    def _read(self, worker: str, total: Reads, wall_at: float) -> None:
        was_capped = self.spending.capped(self._clock().wall)
        self.spending.read(worker, total, wall_at)
        if (self.spending.capped(self._clock().wall) is None) != (was_capped is None):
            self._changed()

    def _count_untold(self) -> None:
        """Count what workers of an earlier master had read and not told when it was killed."""
        found = list(self._untold)
        for untold in found:
            self.spending.read(*untold)
        workers = {untold.worker for untold in found}
        self.spending.begin(workers, self._clock().wall)
        for worker in workers:
            self._untold.remove(worker)

    # ---- what others ask

    @property
    def token(self) -> str:
        """The bearer token, or "" when there is none that X may take."""
        return self.bearer.token

    @property
    def client(self) -> XClient:
        """A client with its present token."""
        return XClient(self.exchange, self.bearer.token)

    @property
    def knowledge(self) -> Knowledge:
        """What its workers match by: another object whenever it has changed."""
        return self.filtering.knowledge

    @property
    def in_effect(self) -> InEffect | None:
        """The rules that its filters find posts for now; None until rules and filters are known."""
        return self.filtering.in_effect

    @property
    def composed(self) -> Composed:
        """What its filters should be."""
        return self.filtering.composed

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
        return self.filtering.hold()

    # ---- the work

    async def run(self) -> None:
        """Keep the filters as they are wanted, and ask for X's own count, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_filters())
            tasks.create_task(self._keep_usage())

    async def turn(self) -> float:
        """Do what can be done now, and return when there is more to do (monotonic seconds)."""
        try:
            await self.bearer.fetch(self.exchange)
            if token := self.bearer.token:
                if token != self._asked_with:  # what X refused to another one says nothing of this one
                    self.filtering.retry()
                self._asked_with = token
                self._take(await self.filtering.bring(self.client), token)
        finally:
            self._tell()
        return self._due()

    async def look_at_usage(self) -> float:
        """Ask X for its own count where it is time, and return in how many seconds it is again."""
        if not self.bearer.token:
            return _NO_TOKEN_S
        await self.usage.look(self.client, self.spending, self._clock())
        return max(_NO_TOKEN_S, self.usage.due - self._clock().mono)

    async def _keep_filters(self) -> None:
        while True:
            self._wake.clear()
            due = await self.turn()
            timeout_s = max(0.0, due - self._clock().mono)
            with contextlib.suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it may swallow a cancellation.
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()

    async def _keep_usage(self) -> None:
        while True:
            wait_s = await self.look_at_usage()
            await asyncio.sleep(wait_s)

    def _take(self, trouble: XFailure | None, token: str) -> None:
        """Take note of what X refused to this token, once: a sync that rests returns it again."""
        if trouble is None or trouble is self._taken:
            return
        self._taken = trouble
        match trouble:
            case KeyRefused():
                self.bearer.refused(token, str(trouble))
            case OutOfCredit() | CapExceeded():
                now = self._clock()
                until = self.credit.out(str(trouble), now.wall, self._reset_of(trouble))
                self.filtering.rest_until(now.mono + until - now.wall)

    def _reset_of(self, refusal: OutOfCredit | CapExceeded) -> float | None:
        """Return when X's cap begins anew; its `x-rate-limit-reset` is about requests."""
        if isinstance(refusal, OutOfCredit):
            return None
        account = self.spending.account
        return account.day_ends_at if refusal.is_daily else account.month_ends_at

    def _tell(self) -> None:
        """Tell when answers of the properties have changed."""
        self.filtering.note()
        said = (self.hold(), self.in_effect, self.knowledge, self.bearer.token)
        if said != self._said:
            self._said = said
            self._changed()

    def _due(self) -> float:
        if (at := self.bearer.again_at()) is not None:
            return at
        now, hold = self._clock(), self.hold()
        due = self.filtering.due()
        return due if hold is None or hold.until is None else min(due, now.mono + hold.until - now.wall)
