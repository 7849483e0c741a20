"""Apply a changed configuration while everything runs; an invalid one changes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import asdict, dataclass

from traptor.common.config.kinds.v2 import V2
from traptor.common.config.settings import Settings, load_settings
from traptor.common.errors import ConfigError, Problem
from traptor.common.logs.event import fields
from traptor.common.logs.master import MasterLogs
from traptor.supervisor.apps.configured import app_settings, route
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.connections.planning.roll import restart_limits
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.host.trust import require_trust, written_folders
from traptor.supervisor.keys.addresses import is_on_this_host, say_unusable
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.state.gone import forget_gone_keys

log = logging.getLogger(__name__)

_ARRIVES_WITHIN = 0.01  # of the window: on a busy host a connect reaches the server later than it was allowed


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """What came of a reload at `at` (Unix time): refused for these reasons, or applied but for `restart`."""

    at: float
    refused: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()  # changed options that need a restart


class Reload:
    """Reads the ini and the key file again and applies the differences."""

    def __init__(self, context: Context, planner: Planner, logs: MasterLogs) -> None:
        self._context = context
        self._planner = planner
        self._logs = logs
        self.last: ReloadOutcome | None = None  # None: none was asked for
        self.made: Counter[str] = Counter()  # `applied` and `refused`, since the start
        self._awaited: list[asyncio.Future[ReloadOutcome]] = []

    def next_outcome(self) -> asyncio.Future[ReloadOutcome]:
        """Return what the next reload will come to."""
        self._awaited.append(asyncio.get_running_loop().create_future())
        return self._awaited[-1]

    def run(self, why: str) -> None:
        """Apply the files' present content, or log what is wrong with them."""
        try:
            new = read_again(self._context.settings)
        except ConfigError as error:
            for problem in error.problems:
                log.warning("reload refused", extra=fields(problem=str(problem)))
            self.last = ReloadOutcome(time.time(), refused=tuple(map(str, error.problems)))
        else:
            self.last = self._apply(self._context.settings, new, why)
        self.made["refused" if self.last.refused else "applied"] += 1
        for future in self._awaited:
            if not future.done():  # whoever asked may be gone
                future.set_result(self.last)
        self._awaited.clear()

    def _apply(self, old: Settings, new: Settings, why: str) -> ReloadOutcome:
        restart = tuple(str(option) for option in new.changes(old).restart)
        for option in restart:
            log.warning("option changed, but needs a restart", extra=fields(option=option))
        for warning in new.warnings:
            log.warning("configuration", extra=fields(warning=warning))
        context, now = self._context, time.monotonic()
        context.settings = new.keeping_what_needs_a_restart(old)
        self._logs.change(new.logging.level, new.logging.format)
        self._logs.know(new.secrets)
        context.pool.set_limits(pool_limits(new))
        context.pacer.connect_rate = new.twitter.connect_rate
        for c in context.connections.values():
            c.crashes.limits = c.refresh_crashes.limits = restart_limits(context.settings)
        take_keys(context, now)
        self._planner.invalidate()
        log.info("reloaded", extra=fields(why=why))
        return ReloadOutcome(time.time(), restart=restart)


def read_again(old: Settings) -> Settings:
    """Return the files' present content. Raises ConfigError when a reload refuses it."""
    new = load_settings(old.path)
    if old.keys and not new.keys:
        raise ConfigError([Problem(str(old.path), "no key is left")])
    # Those in use are not judged again: new keys must not wait for somebody who changes a mode.
    in_use = written_folders(old.traptor, old.supervisor)
    named = written_folders(new.traptor, new.supervisor)
    require_trust({option: folder for option, folder in named.items() if in_use.get(option) != folder})
    return new


def take_keys(context: Context, now: float) -> None:
    """Give the pool the configured keys, and log the changes."""
    change = context.pool.replace(context.settings.keys, now, is_on_this_host)
    context.keys_changed = True
    settings = context.settings
    keep_s = settings.supervisor.ledger_keep
    forget_gone_keys(context.store, context.pool.records, context.pool.ring.known(), keep_s, instant(now))
    if settings.traptor.api == V2:
        apps = [(key, app_settings(settings), route(settings, key)) for key in settings.keys]
        context.apps.take_keys(apps)
    said = {name: ",".join(names) for name, names in asdict(change).items() if names}
    if said:
        log.info("keys", extra=fields(**said))
    if change.unusable:
        say_unusable(change.unusable)
    if not context.settings.keys:
        log.error("no key is configured: nothing can stream")


def pool_limits(settings: Settings) -> PoolLimits:
    """Return the options for keys."""
    twitter = settings.twitter
    return PoolLimits(
        connects=twitter.connects,
        connects_window=twitter.connects_window,
        arrival_s=twitter.connects_window * _ARRIVES_WITHIN,
        network_backoff=twitter.network_backoff,
        network_backoff_max=twitter.network_backoff_max,
        http_backoff=twitter.http_backoff,
        http_backoff_max=twitter.http_backoff_max,
        rate_limit_backoff=twitter.rate_limit_backoff,
        rate_limit_backoff_max=twitter.rate_limit_backoff_max,
        closes_at_once=1 if settings.traptor.api == V2 else 0,
        quarantine=twitter.quarantine,
        quarantine_max=twitter.quarantine_max,
    )
