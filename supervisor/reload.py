"""Apply a changed configuration while everything runs; an invalid one changes nothing."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict

from traptor.common.config.settings import Settings, load_settings
from traptor.common.errors import ConfigError
from traptor.common.logs.event import fields
from traptor.common.logs.master import MasterLogs
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.connections.planning.roll import restart_limits
from traptor.supervisor.keys.addresses import is_on_this_host, say_unusable
from traptor.supervisor.keys.pool import PoolLimits

log = logging.getLogger(__name__)


class Reload:
    """Reads the ini and the key file again and applies the differences."""

    def __init__(self, context: Context, planner: Planner, logs: MasterLogs) -> None:
        self._context = context
        self._planner = planner
        self._logs = logs

    def run(self, why: str) -> None:
        """Apply the files' present content, or log what is wrong with them."""
        old = self._context.settings
        try:
            new = load_settings(old.path)
        except ConfigError as error:
            for problem in error.problems:
                log.warning("reload refused", extra=fields(problem=str(problem)))
            return
        if old.keys and not new.keys:
            log.warning("reload refused", extra=fields(problem=f"{old.path}: no key is left"))
            return
        self._apply(old, new, why)

    def _apply(self, old: Settings, new: Settings, why: str) -> None:
        for option in new.changes(old).restart:
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


def take_keys(context: Context, now: float) -> None:
    """Give the pool the configured keys, and log the changes."""
    change = context.pool.replace(context.settings.keys, now, is_on_this_host)
    context.keys_changed = True
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
        network_backoff=twitter.network_backoff,
        network_backoff_max=twitter.network_backoff_max,
        http_backoff=twitter.http_backoff,
        http_backoff_max=twitter.http_backoff_max,
        rate_limit_backoff=twitter.rate_limit_backoff,
        rate_limit_backoff_max=twitter.rate_limit_backoff_max,
        quarantine=twitter.quarantine,
        quarantine_max=twitter.quarantine_max,
    )
