"""The master: events only mark what needs attention; one loop waits, reconciles, and waits again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from traptor.common.config.kinds.v2 import V2
from traptor.common.config.settings import Settings
from traptor.common.errors import ExitCode, TraptorError
from traptor.common.logs.event import fields
from traptor.common.logs.master import MasterLogs
from traptor.common.redis.client import redis_client
from traptor.common.redis.state import RedisState
from traptor.common.rules.rule import GroupId
from traptor.common.signals import HANDLED_SIGNALS
from traptor.supervisor.chores import Chores
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.outcomes import Outcomes
from traptor.supervisor.connections.planning.byapps import AppPlanner
from traptor.supervisor.connections.planning.byparts import PartPlanner
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.connections.planning.roll import Roll
from traptor.supervisor.connections.reconcile import NO_STEP, Reconciler
from traptor.supervisor.control.place import socket_path
from traptor.supervisor.control.routes import Api
from traptor.supervisor.control.server import ControlServer
from traptor.supervisor.fills.choice import fill_method
from traptor.supervisor.heartbeats import Heartbeats
from traptor.supervisor.host.filechanges import FileChanges
from traptor.supervisor.host.notify import ServiceManager
from traptor.supervisor.host.stdoutwatch import StdoutWatch
from traptor.supervisor.jobs import Jobs, every
from traptor.supervisor.keys.pacer import Pacer
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.ledger.keeper import LedgerKeeper
from traptor.supervisor.orders.connections import ConnectionOrders
from traptor.supervisor.orders.desk import Desk
from traptor.supervisor.orders.foresight import foresee
from traptor.supervisor.orders.keys import KeyOrders
from traptor.supervisor.orders.sampling import Sampling
from traptor.supervisor.orders.whereabouts import last_matches, rules_named, unfiltered_rules
from traptor.supervisor.reload import Reload, pool_limits, take_keys
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.hints import HintListener
from traptor.supervisor.rules.reader import RuleReader
from traptor.supervisor.rules.redisuses import RedisUse, RedisUses
from traptor.supervisor.rules.watch import RuleWatch
from traptor.supervisor.state.locks import WorkersLock
from traptor.supervisor.state.predecessors import end_predecessors
from traptor.supervisor.state.reserve import Reserve
from traptor.supervisor.state.roster import Roster
from traptor.supervisor.state.stops import Stops
from traptor.supervisor.state.store import StateStore
from traptor.supervisor.status.greeting import greeting
from traptor.supervisor.status.latest import Latest, Shown
from traptor.supervisor.status.log import log_status
from traptor.supervisor.status.rates import INTERVAL_S as RATE_INTERVAL_S
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.stopping import Stopping
from traptor.supervisor.wholestatus import WholeStatus
from traptor.supervisor.workers.fleet import Fleet
from traptor.supervisor.workers.forking.keeper import ForkerKeeper
from traptor.supervisor.workers.leftovers import Leftovers
from traptor.supervisor.workers.runclock import RunClock

if TYPE_CHECKING:
    from traptor.supervisor.xside import XSide

log = logging.getLogger(__name__)

_MANAGER_INTERVAL_S = 1.0


class Master:
    """Runs a collection until it is told to stop. Create it inside a running event loop."""

    def __init__(
        self,
        settings: Settings,
        logs: MasterLogs,
        forkers: ForkerKeeper,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Begin; `say` receives one line for the terminal once the plan is known."""
        self._forkers = forkers
        self._logs = logs
        self._greet: Callable[[str], None] | None = say
        self._manager = ServiceManager()
        self._jobs = Jobs()
        self._event = asyncio.Event()
        self._reload_asked: str | None = None
        self._roster = Roster(settings.supervisor.run_dir / "workers.json")
        self._workers_lock = WorkersLock(settings.supervisor.run_dir / "workers.lock")
        redis = settings.redis
        self._redis = redis_client(redis.url, redis.timeout, redis.ca_file)
        self._subscription = redis_client(redis.url, redis.timeout, redis.ca_file)
        fleet = Fleet(forkers, self._roster, self._workers_lock.fd)
        self._uses = RedisUses(lambda: bool(fleet.generations))
        self._reserve = Reserve(settings.supervisor.state_dir / "reserve")
        self._reserve.make_room()
        self._context = context = self._make_context(settings, fleet)
        self._stopping = Stopping(context, self._jobs, self._manager, self.wake)
        self._stdout = StdoutWatch(self._stopping.stdout_gone)
        self._ledger = LedgerKeeper(
            settings.supervisor.state_dir,
            context.connections,
            self._redis,
            keep_s=lambda: context.settings.supervisor.ledger_keep,
            tell=self._uses.teller(RedisUse.GAP_MIRROR, self._redis),
            reserve=self._reserve,
            choose=lambda _gap: fill_method(context.settings),
        )
        self._rates = Rates()
        self._shown = Shown()
        self._latest = Latest(lambda: self._whole.make())
        self._agenda = Agenda()
        self._x = self._make_xside(settings)
        fleet.report_to(Outcomes(context, self._wake_for))
        self._groups = Groups(self._context)
        self._planner = self._make_planner(settings)
        self._reconciler = Reconciler(self._context, self._planner, self._agenda)
        self._rules = RuleWatch(
            RuleReader(self._redis),
            self._groups,
            self.wake,
            self._uses.teller(RedisUse.RULES, self._redis),
        )
        self._hints = HintListener(
            self._subscription,
            settings.redis.channel,
            on_hint=self._on_hint,
            on_subscribed=self._rules.look_at_all,
            on_lost=self._rules.doubt,
            tell=self._uses.teller(RedisUse.SUBSCRIPTION, self._subscription),
        )
        self._reload = Reload(self._context, self._planner, logs)
        self._files = FileChanges(partial(self._ask_reload, "a file changed"))
        self._api = Api(self._make_desk())
        self._control = ControlServer(
            socket_path(settings.supervisor.run_dir), self._api.routes(), lambda: context.settings.http
        )
        self._chores = Chores(self._context, self._files, self._reserve, self._latest.new, self.wake)
        self._heartbeats = Heartbeats(
            self._context,
            self._groups,
            self._ledger.ledger,
            self._redis,
            self._uses.teller(RedisUse.HEARTBEATS, self._redis),
        )
        self._whole = WholeStatus(
            context,
            self._groups,
            logs,
            self._jobs,
            self._uses,
            self._ledger,
            self._heartbeats,
            self._reload,
            self._x,
            self._rates,
            self._shown,
        )

    def _make_xside(self, settings: Settings) -> XSide | None:
        if settings.traptor.api != V2:
            return None
        from traptor.supervisor.xside import XSide  # it takes a while, and v1.1 has none

        return XSide(
            self._context,
            self._ledger,
            lambda name: (self._rates.history(name), self._rates.per_second(name)),
            self._wake_for,
            lambda secret: self._logs.know([secret]),
        )

    def _make_planner(self, settings: Settings) -> Planner:
        roll = Roll(self._context, self._ledger.ledger.timeline)
        plans = AppPlanner if settings.traptor.api == V2 else PartPlanner
        return plans(self._context, self._groups, roll)

    def _make_context(self, settings: Settings, fleet: Fleet) -> Context:
        rng = random.Random()
        store = StateStore(settings.supervisor.state_dir / "state.db", self._reserve)
        return Context(
            settings=settings,
            pool=KeyPool(pool_limits(settings), rng),
            pacer=Pacer(settings.twitter.connect_rate),
            store=store,
            run_clock=RunClock(time.monotonic()),
            fleet=fleet,
            leftovers=Leftovers(settings.supervisor.state_dir),
            rng=rng,
            stops=Stops(store),
        )

    def _make_desk(self) -> Desk:
        context, groups = self._context, self._groups
        return Desk(
            status=self._latest.recent,
            rates=self._rates.history,
            view=self._ledger.view,
            ledger=self._ledger.path,
            foresee=partial(foresee, context, groups),
            reload=self._reload_now,
            find=partial(rules_named, context, groups),
            without_filter=partial(unfiltered_rules, context),
            last_matches=partial(last_matches, self._redis),
            connections=ConnectionOrders(context, self._planner, self._ordered),
            keys=KeyOrders(context, self.wake),
            sampling=Sampling(context),
            settings=lambda: context.settings,
        )

    def wake(self) -> None:
        """Make the loop check everything again."""
        self._latest.outdated()
        self._shown.forget()
        self._agenda.look_at_all()
        self._event.set()

    def _ordered(self, connection: str) -> None:
        self._latest.outdated()
        self._wake_for(connection)

    def _wake_for(self, connection: str) -> None:
        self._shown.forget([connection])
        self._agenda.look_at([connection])
        self._event.set()

    # ---- lifetime

    async def run(self) -> ExitCode:
        """Run until TERM or INT, and return once every worker is gone."""
        self._listen_to_signals()
        self._stdout.start()
        self._forkers.watch()
        self._files.watch(self._context.settings.watched)
        self._take_keys()
        await self._control.start()
        await end_predecessors(self._roster, self._workers_lock, lambda: self._context.stopping)
        outside = [
            ("rules", self._rules.run),
            ("hints", self._hints.run),
            ("heartbeats", self._heartbeats.run),
            ("rates", every(lambda: RATE_INTERVAL_S, self._note_rates)),
            ("service manager", every(lambda: _MANAGER_INTERVAL_S, self._tell_manager)),
            ("http", self._control.serve_tcp),
        ]
        of_x = self._x.jobs() if self._x is not None else ()
        for name, job in (*outside, *of_x, *self._ledger.jobs(), *self._chores.jobs()):
            self._jobs.start(name, job)
        try:
            return await self._loop()
        finally:
            await self._jobs.end()
            await self._close()

    async def _loop(self) -> ExitCode:
        """Reconcile, and wait until there is more to do; a failure here costs no stream."""
        jobs = self._jobs
        while True:
            if self._reload_asked is not None:
                jobs.attempt("reload", self._take_reload, None)
            step = jobs.attempt("reconcile", self._reconciler.reconcile, NO_STEP)
            self._shown.forget(None if step is NO_STEP else step.looked_at)  # it may have failed half-way
            note = partial(self._ledger.look, self._groups, step.looked_at)
            jobs.attempt("look at the ledger", note, None)
            jobs.attempt("greet", self._say_that_it_runs, None)
            if self._context.stopping and not self._context.fleet.generations:
                return self._stopping.exit_code
            fed_until = self._manager.feed_watchdog(time.monotonic())
            times = (step.next_at, fed_until, *(jobs.retry_at(name) for name in ("reload", "reconcile")))
            await self._wait_until(min((at for at in times if at is not None), default=None))

    def _say_that_it_runs(self) -> None:
        rules = self._uses.states()[RedisUse.RULES].state
        if self._greet is not None and rules is not RedisState.UNKNOWN:
            greet, self._greet = self._greet, None
            greet(greeting(self._context.settings, self._context.connections.values(), rules))
            self._tell_manager()

    def _tell_manager(self) -> None:
        if self._context.stopping or self._greet is not None:
            return
        self._manager.ready()
        if self._manager.is_there:
            self._manager.status(self._whole.headline())

    async def _wait_until(self, due: float | None) -> None:
        timeout_s = None if due is None else max(0.0, due - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        self._event.clear()

    def _take_keys(self) -> None:
        now = time.monotonic()
        if dump := self._context.store.load_keys():
            try:
                self._context.pool.load(dump, now, time.time())
            except TraptorError as error:
                log.warning("key states could not be loaded", extra=fields(error=str(error)))
        take_keys(self._context, now)

    async def _close(self) -> None:
        """Release everything; a failure to release one thing does not keep the others."""
        ends: list[tuple[str, Callable[[], Any]]] = [
            ("close the watch on the forker", self._forkers.close),
            ("close the watch on stdout", self._stdout.close),
            ("close files", self._files.close),
            ("close chores", self._chores.close),
            ("close the control socket", self._control.close),
            ("close the API", self._api.close),
            ("close the ledger", self._ledger.close),
            ("close the fleet", self._context.fleet.close),
            ("close the apps", self._x.aclose if self._x is not None else lambda: None),
            ("save keys", lambda: self._context.save_keys(time.monotonic())),
            ("close the store", self._context.store.close),
            ("take the reserve", self._reserve.take_rest),
            ("close Redis", self._redis.aclose),
            ("close the subscription", self._subscription.aclose),
            ("release the workers' lock", self._workers_lock.release),
        ]
        for name, end in ends:
            try:
                if isinstance(result := end(), Awaitable):
                    await result
            except Exception:
                log.exception("a shutdown step failed", extra=fields(what=name))
        log.info("supervisor stopped")

    # ---- events

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._jobs.on_loop_error)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.asked)
        loop.add_signal_handler(signal.SIGHUP, self._ask_reload, "SIGHUP")
        loop.add_signal_handler(signal.SIGUSR1, self._reopen_logs)
        loop.add_signal_handler(signal.SIGUSR2, lambda: log_status(self._latest.new()))
        loop.add_signal_handler(signal.SIGQUIT, self._stopping.quickly)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)  # they waited until now (run.py)

    def _ask_reload(self, why: str) -> None:
        self._reload_asked = why
        self.wake()

    async def _reload_now(self, accept_empty: bool) -> dict[str, Any]:
        """Reload, wait for what comes of it, and say which groups are taken for empty from now on."""
        outcome_comes = self._reload.next_outcome()
        self._ask_reload("an operator's order")
        outcome = await outcome_comes
        empty = [group.id for group in self._groups.all() if group.suspect and accept_empty]
        for group in empty if not outcome.refused else []:
            self._rules.hint(group)
        return {**asdict(outcome), "accepted": [str(group) for group in empty]}

    def _take_reload(self) -> None:
        self._files.note()
        self._manager.reloading()
        try:
            self._reload.run(self._reload_asked or "")
        finally:
            self._manager.reloaded()
        self._reload_asked = None
        self._files.watch(self._context.settings.watched)
        self._rules.look_at_all()

    def _reopen_logs(self) -> None:
        self._logs.reopen()
        self._context.fleet.reopen_logs()

    def _note_rates(self) -> None:
        connections = self._context.connections.values()
        self._rates.note({c.name: c.counters().received for c in connections}, time.monotonic())

    def _on_hint(self, group: GroupId) -> None:
        if self._groups.filter.serves(group):
            self._rules.hint(group)
