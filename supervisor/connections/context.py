"""The shared world of the master's steps: settings, keys, processes, connections, and persistent state."""

from __future__ import annotations

import logging
import random
from collections import Counter
from dataclasses import dataclass, field

from traptor.common.birth import WorkerSettings
from traptor.common.config.settings import Settings
from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.supervisor.apps.view import AppsView, AppView, NoApps, NoSlots, SlotsView
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.fillsview import FillsView, NoFills
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.keys.pacer import Pacer
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.state.stops import Stops
from traptor.supervisor.state.store import StateStore
from traptor.supervisor.workers.fleet import GRACE_S, Fleet
from traptor.supervisor.workers.leftovers import Leftovers
from traptor.supervisor.workers.runclock import RunClock
from traptor.supervisor.workers.samples import Samples
from traptor.supervisor.workers.settings import worker_settings

log = logging.getLogger(__name__)

QUICK_S = 3.0  # for a stop that does not wait for the output

_MARGIN_S = 0.5
_LEAST_SHARE = 0.4  # of a drain_timeout too short for the above; the grace gets the same share


@dataclass
class Context:
    """One master's world. A reload replaces `settings`."""

    settings: Settings
    pool: KeyPool
    pacer: Pacer
    store: StateStore
    run_clock: RunClock
    fleet: Fleet
    leftovers: Leftovers
    rng: random.Random
    stops: Stops
    samples: Samples = field(default_factory=Samples)
    apps: AppsView = field(default_factory=NoApps)
    slots: SlotsView = field(default_factory=NoSlots)
    fills: FillsView = field(default_factory=NoFills)
    connections: dict[str, Connection] = field(default_factory=dict)
    openings: Counter[tuple[str, str]] = field(default_factory=Counter)  # of streams, by key and outcome
    stopping: bool = False
    hurries: bool = False  # the stop does not wait for the output
    keys_changed: bool = False  # the pool's present state is not stored yet
    _for_workers: tuple[Settings, WorkerSettings] | None = field(default=None, repr=False)

    @property
    def worker_settings(self) -> WorkerSettings:
        """The settings that workers are born with: the same object, with its fingerprint, until a reload."""
        if self._for_workers is None or self._for_workers[0] is not self.settings:
            self._for_workers = self.settings, worker_settings(self.settings)
        return self._for_workers[1]

    @property
    def stop_within_s(self) -> float:
        """The maximum duration of a stop."""
        timeout_s = self.settings.supervisor.drain_timeout
        return min(QUICK_S, timeout_s) if self.hurries else timeout_s

    def drain_s(self) -> float:
        """Return the time a worker gets to drain, so that it is gone within `drain_timeout` in any case."""
        timeout_s = self.stop_within_s
        return max(_LEAST_SHARE * timeout_s, timeout_s - GRACE_S - _MARGIN_S)

    def serial_due(self, now: float) -> float:
        """Return when `serial` may be tried again after a failure now."""
        return now + self.settings.supervisor.refresh_min_interval

    def app_of(self, c: Connection) -> AppView | None:
        """Return the app of a connection; None under v1.1, or while there is none yet."""
        return None if c.app is None else self.apps.get(c.app)

    def save_keys(self, now: float) -> None:
        """Store budgets and states of the keys for the next master."""
        try:
            self.store.save_keys(self.pool.dump(now, instant(now).wall))
        except TraptorError as error:
            log.warning("key states are not saved", extra=fields(error=str(error)))
        else:
            self.keys_changed = False
