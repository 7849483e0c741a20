"""Admit connections in turn: few start a worker at once, and connects are paced."""

from __future__ import annotations

import logging
from dataclasses import replace

from msgspec.structs import replace as replace_fields

from traptor.common.config.keys.key import ApiKey
from traptor.common.logs.event import fields
from traptor.common.messages import Connect
from traptor.supervisor.apps.hold import HoldKind
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.demand import KeyDemand, rank
from traptor.supervisor.connections.planning.turns import Turns
from traptor.supervisor.connections.steps.forks import Forks
from traptor.supervisor.connections.waits import Wait, WaitKind
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.keys.conduct.states import ConnectVerdict
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.spec import KeySpec, connect_message, key_spec

log = logging.getLogger(__name__)

_FORKS_A_STEP = 4
_ABOUT_TOKEN = frozenset({HoldKind.BEARER_REFUSED, HoldKind.NO_BEARER})
# an app's filters are not known yet, or there are none
_NOTHING_TO_MATCH_BY = frozenset(
    {WaitKind.NO_BEARER, WaitKind.X_AWAY, WaitKind.RATE_LIMITED, WaitKind.SYNCING, WaitKind.NO_FILTERS}
)


class Gate:
    """Forks and permits on behalf of connections; a connection that cannot proceed is queued, or waits."""

    def __init__(self, context: Context, forks: Forks, agenda: Agenda) -> None:
        self._context = context
        self._forks = forks
        self._agenda = agenda
        self._starts = Turns()
        self._paces: dict[str | None, Turns] = {}  # by source address
        self._admitted: Connection | None = None  # the connection whose turn it is
        self._forks_left = 0  # in this step

    def begin_step(self) -> None:
        """Allow some forks again: while it makes many, the master hears nobody."""
        self._forks_left = _FORKS_A_STEP

    # ---- called by a step

    def may_start(self, c: Connection) -> bool:
        """Tell whether it may fork a worker now; if not, queue it."""
        if self._has_room() and (not self._starts or c is self._admitted):
            return True
        self._starts.wait(c.name, rank(KeyDemand.of(c)))
        return False

    def fork(self, c: Connection, now: float) -> Generation | None:
        """Return a new generation made from what is wanted; None when that fails now: it is tried again."""
        self._forks_left -= 1
        generation = self._forks.fork(c, now, soon=self._starts)
        if generation is None:
            backoff = c.crashes if c.serving is None else c.refresh_crashes
            self._agenda.due(c.name, backoff.crashed(now, 0.0))
        return generation

    def permit(self, c: Connection, g: Generation, lease: Lease, now: float) -> bool:
        """Let a generation connect, unless its source address connected a moment ago."""
        context = self._context
        key = context.pool.ring[lease.key_id]
        if not c.handover.spend_pace() and not self.take_pace(c, key.source_address, now):
            return False
        context.pool.records.spend(lease.key_id, now)
        context.save_keys(now)  # before the permission: a budget must not be forgotten
        context.slots.connecting(lease.key_id)
        message, spec = self._credentials(c, g, key)
        if any(other.lease == lease for other in c.generations):
            # The only time at which a key exceeds its connections: logged before it can happen.
            log.info(
                "an overlap begins", extra=fields(connection=c.name, gen=g.birth.generation, key=key.name)
            )
        message = replace_fields(message, backfill_minutes=context.fills.minutes(c, now))
        g.permitted(message, spec, lease)
        context.fleet.connect(g, message)
        return True

    def _credentials(self, c: Connection, g: Generation, key: ApiKey) -> tuple[Connect, KeySpec]:
        """Return those of the key; while a new secret is in doubt, those with which it streamed."""
        held_back = c.handover.held_back
        if g is c.serving and held_back is not None and held_back[0] == key.key_id == g.last_key_id:
            assert g.connect is not None
            assert g.key is not None
            return g.connect, g.key
        app = self._context.app_of(c)
        return connect_message(key, app.token if app is not None else ""), key_spec(key)

    def take_pace(self, c: Connection, address: str | None, now: float) -> bool:
        """Tell whether it may connect from `address` now, and count the connect; if not, queue it."""
        pacer, line = self._context.pacer, self._paces.setdefault(address, Turns())
        due = pacer.next_at(address, now)
        if due <= now and (not line or c is self._admitted):
            pacer.take(address, now)
            return True
        line.wait(c.name, rank(KeyDemand.of(c)))
        c.wait = Wait(WaitKind.PACED, "connects are paced", due)  # has no time of its own: others go first
        return False

    def hold_wait(self, c: Connection, key_id: str, now: float) -> Wait | None:
        """Return why the connection's app keeps it from connecting, or None."""
        if c.app is None:
            return None
        app, key = self._context.app_of(c), self._context.pool.ring[key_id].name
        if app is None:
            return Wait(WaitKind.NO_APP, "its app is not known yet", key=key)
        hold = app.hold()
        is_about_token = hold is not None and (hold.kind in _ABOUT_TOKEN or not app.token)
        if hold is None or (c.handover.held_back is not None and is_about_token):
            return None  # a new token is in doubt: the old generation returns with the one that worked
        return Wait.for_app(hold, key, instant(now).wall, now)

    def fork_wait(self, c: Connection, lease: Lease, now: float) -> Wait | None:
        """Return why a worker would have nothing to match by yet, or None.

        What is known at the fork is shared by master and worker; what comes later each has for itself.
        """
        held, app = self.hold_wait(c, lease.key_id, now), self._context.app_of(c)
        if held is None or app is None:
            return None
        # Of two reasons an app names the graver one: it may have no credit, and know no filters either.
        return held if held.kind in _NOTHING_TO_MATCH_BY or not app.knowledge.by_filter else None

    def key_wait(self, c: Connection, verdict: ConnectVerdict, key_id: str) -> Wait:
        """Return why a connection waits for its key."""
        wait = Wait.for_key(verdict, self._context.pool.ring[key_id].name, c.network_error)
        holder = self._context.slots.holder(key_id) if wait.kind is WaitKind.SLOT_HELD else ""
        return replace(wait, text=f"{wait.text}: {holder}") if holder else wait

    def wait(self, c: Connection, wait: Wait, now: float) -> None:
        """Record why the connection waits, also in its timeline when nothing streams meanwhile."""
        c.wait = wait
        self._agenda.due(c.name, wait.until)
        c.gaps.cause_changed(wait.cause(c.gaps.standing.cause), instant(now))

    # ---- queues

    def next_turn(self, now: float) -> str | None:
        """Remove and return the next queued connection if there is room for one more; otherwise None.

        One that may connect comes before those that need a fork: it soon streams, and permits are quick.
        """
        for address, turns in self._paces.items():
            if turns and self._context.pacer.next_at(address, now) <= now:
                return turns.take()
        return self._starts.take() if self._starts and self._has_room() else None

    def _has_room(self) -> bool:
        return self._forks_left > 0 and self._forks.may_start_one_more()

    def admit(self, c: Connection | None) -> None:
        """Let this connection go before the queued ones; None: no connection."""
        self._admitted = c

    def leave(self, name: str) -> None:
        """Remove a connection from all queues."""
        for turns in (self._starts, *self._paces.values()):
            turns.leave(name)

    def clear(self) -> None:
        """Empty all queues."""
        for turns in (self._starts, *self._paces.values()):
            turns.clear()

    def next_at(self, now: float) -> float | None:
        """Return when the next turn of the queued connections is due."""
        if self._starts and self._forks.may_start_one_more():
            return now  # the next step may fork again
        paces = (self._context.pacer.next_at(address, now) for address, turns in self._paces.items() if turns)
        return min(paces, default=None)
