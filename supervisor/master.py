"""The master: everything that can happen only marks it; one loop waits, reconciles, and waits again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from traptor.common.config.settings import Settings
from traptor.common.errors import ExitCode, TraptorError
from traptor.common.logs.event import fields
from traptor.common.logs.master import MasterLogs
from traptor.common.redisclient import redis_client
from traptor.common.rules import GroupId
from traptor.supervisor.chores import Chores
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.outcomes import Outcomes
from traptor.supervisor.connections.reconcile import Reconciler
from traptor.supervisor.control.handlers import ControlHandlers
from traptor.supervisor.control.server import ControlServer, socket_path
from traptor.supervisor.filechanges import FileChanges
from traptor.supervisor.heartbeats import Heartbeats
from traptor.supervisor.keys.pacer import Pacer
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.ledger.keeper import LedgerKeeper
from traptor.supervisor.reload import Reload, pool_limits, take_keys
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.hints import HintListener
from traptor.supervisor.rules.reader import RuleReader
from traptor.supervisor.rules.watch import RuleWatch
from traptor.supervisor.state.locks import WorkersLock
from traptor.supervisor.state.roster import Roster, end_process
from traptor.supervisor.state.store import StateStore
from traptor.supervisor.status import Surroundings, status
from traptor.supervisor.workers.fleet import Fleet, FleetEvents
from traptor.supervisor.workers.leftovers import Leftovers
from traptor.supervisor.workers.runclock import RunClock

log = logging.getLogger(__name__)

_WORKERS_LOCK_POLL_S = 0.05
_CANCEL_AGAIN_S = 0.2


class Master:
    """Runs a collection until it is told to stop. To be made inside a running event loop."""

    def __init__(self, settings: Settings, logs: MasterLogs) -> None:
        self._logs = logs
        self._event = asyncio.Event()
        self._reload_asked: str | None = None
        self._exit_code = ExitCode.OK
        self._roster = Roster(settings.supervisor.run_dir / "workers.json")
        self._workers_lock = WorkersLock(settings.supervisor.run_dir / "workers.lock")
        redis = settings.redis
        self._redis = redis_client(redis.url, redis.timeout, redis.ca_file)
        connections: dict[str, Connection] = {}
        self._ledger = LedgerKeeper(
            settings.supervisor.state_dir,
            connections,
            self._redis,
            keep_s=lambda: self._context.settings.supervisor.ledger_keep,
        )
        self._context = self._make_context(settings, connections)
        self._outcomes = Outcomes(self._context, self.wake)
        self._groups = Groups(self._context)
        self._reconciler = Reconciler(self._context, self._groups)
        self._subscription = redis_client(redis.url, redis.timeout, redis.ca_file)
        self._rules = RuleWatch(RuleReader(self._redis), self._groups, self.wake)
        self._hints = HintListener(
            self._subscription,
            settings.redis.channel,
            on_hint=self._on_hint,
            on_subscribed=self._rules.look_at_all,
        )
        self._reload = Reload(self._context, self._groups, logs)
        self._files = FileChanges(lambda: self._ask_reload("a file changed"))
        self._control = ControlServer(
            socket_path(settings.supervisor.run_dir),
            ControlHandlers(self._status, self._ledger.view, self._ledger.path),
        )
        self._chores = Chores(self._context, self._files, self._status, self.wake)
        self._heartbeats = Heartbeats(self._context, self._groups, self._ledger.ledger, self._redis)

    def _make_context(self, settings: Settings, connections: dict[str, Connection]) -> Context:
        rng = random.Random()
        events = FleetEvents(
            on_message=lambda g, message: self._outcomes.on_message(g, message),
            on_fault=lambda g, what: self._outcomes.on_fault(g, what),
            on_gone=lambda g, code: self._outcomes.on_gone(g, code),
        )
        return Context(
            settings=settings,
            pool=KeyPool(pool_limits(settings), rng),
            pacer=Pacer(settings.twitter.connect_rate),
            store=StateStore(settings.supervisor.state_dir / "state.db"),
            run_clock=RunClock(time.monotonic()),
            fleet=Fleet(self._roster, self._workers_lock.fd, events),
            leftovers=Leftovers(settings.supervisor.state_dir),
            timeline_of=self._ledger.ledger.timeline,
            rng=rng,
            connections=connections,
        )

    def wake(self) -> None:
        """Have the loop look again."""
        self._event.set()

    # ---- the life of a master

    async def run(self) -> ExitCode:
        """Run until TERM or INT, and end with every worker gone."""
        self._listen_to_signals()
        self._files.watch(self._context.settings.watched)
        self._take_keys()
        await self._control.start()
        await self._end_predecessors_workers()
        jobs = [asyncio.create_task(job, name=name) for name, job in self._jobs()]
        for job in jobs:
            job.add_done_callback(self._on_job_end)
        try:
            return await self._loop()
        finally:
            await _end(jobs)
            await self._close()

    def _jobs(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        return [
            ("rules", self._rules.run()),
            ("hints", self._hints.run()),
            ("heartbeats", self._heartbeats.run()),
            *self._ledger.jobs(),
            *self._chores.jobs(),
        ]

    async def _loop(self) -> ExitCode:
        while True:
            if self._reload_asked is not None:
                self._take_reload()
            due = self._reconciler.reconcile()
            self._ledger.look(self._groups)
            if self._context.stopping and not self._context.fleet.generations:
                return self._exit_code
            await self._wait_until(due)

    async def _wait_until(self, due: float | None) -> None:
        timeout_s = None if due is None else max(0.0, due - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        self._event.clear()

    def _on_job_end(self, job: asyncio.Task[None]) -> None:
        """A job never ends by itself: an error in one would leave the master deaf or blind."""
        if not job.cancelled() and (error := job.exception()) is not None:
            log.critical("a job of the master failed", exc_info=error, extra=fields(job=job.get_name()))
            self._exit_code = ExitCode.FAILURE
            self._stop()

    def _take_keys(self) -> None:
        now = time.monotonic()
        if dump := self._context.store.load_keys():
            try:
                self._context.pool.load(dump, now, time.time())
            except TraptorError as error:
                log.warning("key states are not taken over", extra=fields(error=str(error)))
        take_keys(self._context, now)

    async def _end_predecessors_workers(self) -> None:
        """No key may be lent before the workers of a master that died are gone."""
        for entry in self._roster.read():
            if end_process(entry):
                log.warning(
                    "a dead supervisor's worker was killed",
                    extra=fields(connection=entry.connection, pid=entry.pid),
                )
        if self._workers_lock.try_take():
            return
        log.warning("waiting for a dead supervisor's workers to end")
        # The kernel tells nobody that a flock is free.
        while not self._context.stopping and not self._workers_lock.try_take():  # noqa: ASYNC110
            await asyncio.sleep(_WORKERS_LOCK_POLL_S)

    async def _close(self) -> None:
        self._files.close()
        self._chores.close()
        await self._control.close()
        self._ledger.close()
        self._context.save_keys(time.monotonic())
        self._context.store.close()
        await self._redis.aclose()
        await self._subscription.aclose()
        self._workers_lock.release()
        log.info("supervisor stopped")

    # ---- what can happen

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal)
        loop.add_signal_handler(signal.SIGHUP, self._ask_reload, "SIGHUP")
        loop.add_signal_handler(signal.SIGUSR1, self._reopen_logs)

    def _on_stop_signal(self) -> None:
        if not self._context.stopping:
            self._stop()
            return
        log.warning("stopping at once")
        self._exit_code = ExitCode.FAILURE
        for generation in self._context.fleet.generations:
            self._context.fleet.kill(generation)

    def _stop(self) -> None:
        self._context.stopping = True
        within_s = self._context.settings.supervisor.drain_timeout
        log.info("stopping: streams close, outputs are flushed", extra=fields(within_s=within_s))
        self.wake()

    def _ask_reload(self, why: str) -> None:
        self._reload_asked = why
        self.wake()

    def _take_reload(self) -> None:
        why, self._reload_asked = self._reload_asked, None
        self._files.note()
        self._reload.run(why or "")
        self._files.watch(self._context.settings.watched)
        self._rules.look_at_all()

    def _reopen_logs(self) -> None:
        self._logs.reopen()
        self._context.fleet.reopen_logs()

    def _status(self) -> dict[str, Any]:
        beats = self._heartbeats
        around = Surroundings(self._logs.lost, self._ledger.status(), beats.withheld, beats.foreign)
        return status(self._context, self._groups, around, time.monotonic())

    def _on_hint(self, group: GroupId) -> None:
        if self._groups.filter.serves(group):
            self._rules.hint(group)


async def _end(jobs: Sequence[asyncio.Task[None]]) -> None:
    """Cancel the jobs until they have ended: redis-py can swallow a cancellation while it connects."""
    while pending := [job for job in jobs if not job.done()]:
        for job in pending:
            job.cancel()
        await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
