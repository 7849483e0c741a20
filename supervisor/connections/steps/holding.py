"""Hold keys for connections: find one, leave one that is no good any more, give back what nobody needs."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from traptor.common.logs.event import fields
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.waits import Wait, WaitKind
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.keys.pool import KeyPool

log = logging.getLogger(__name__)


class Holding:
    """Sees to the leases of connections; an app's connection is lent slots of its own key only (v2)."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def find(self, c: Connection, now: float) -> bool:
        """Tell whether the connection has a key to keep; if not, one is lent to it where one is free."""
        pool = self._context.pool
        if c.lease is not None and not self._may_keep(c, c.lease, now):
            # a generation that streams with the key keeps its own hold on it until it has closed
            c.forget_key()
        if c.lease is None:
            c.lease = pool.lend(c.name, now) if c.app is None else pool.lend_slot(c.app, c.name, now)
        elif c.asks and c.app is None:
            self._leave_resting(c, c.lease, now)
        return c.lease is not None

    def lack(self, c: Connection, now: float) -> Wait:
        """Return why the connection has no key."""
        pool = self._context.pool
        if c.app is None:
            return lack_of_key(pool, now, was_refused=c.gaps.standing.cause is GapCause.KEY_REFUSED)
        name = next((key.name for key in self._context.settings.keys if key.key_id == c.app), c.app)
        return _lack_of_own_key(pool, c.app, name, now)

    def give_back_unheld(self, holders: Iterable[str], now: float) -> bool:
        """Give back leases held neither by a connection nor by a generation that may have a stream.

        Tell whether there were any.
        """
        pool, unheld = self._context.pool, []
        for name in holders:
            c = self._context.connections.get(name)
            held = {c.lease, *(g.lease for g in c.generations)} if c is not None else set()
            unheld += [lease for lease in pool.leases_held_by(name) if lease not in held]
        for lease in unheld:
            pool.give_back(lease, now)
        return bool(unheld)

    def _leave_resting(self, c: Connection, lease: Lease, now: float) -> None:
        """Move a connection without a stream from a key that rests long to a spare that may connect now."""
        pool = self._context.pool
        spare = pool.move(lease, now)
        if spare is None:
            return
        log.info(
            "moves to another key",
            extra=fields(
                connection=c.name,
                key=pool.ring[lease.key_id].name,
                to=pool.ring[spare.key_id].name,
                why=pool.may_connect(lease.key_id, Purpose.FRESH, now).reason,
            ),
        )
        c.forget_key()
        c.lease = spare

    def _may_keep(self, c: Connection, lease: Lease, now: float) -> bool:
        pool = self._context.pool
        if c.app not in (None, lease.key_id):
            return False
        # A suspect key is good for open streams, not for new ones.
        is_suspect = pool.state(lease.key_id, now) is KeyState.SUSPECT
        return pool.still_good(lease, now) and (c.streams or not is_suspect)


def lack_of_key(pool: KeyPool, now: float, *, was_refused: bool) -> Wait:
    """Return why no key is free: the server refused them all, or there are too few.

    When the server refused this connection's own connect (`was_refused`), that stays the reason while a key
    is quarantined.
    """
    refused = pool.refused(now)
    if refused.names and (was_refused or refused.is_all):
        names = ", ".join(refused.names)
        return Wait(WaitKind.KEYS_REFUSED, "no key is free: keys are quarantined", refused.until, names)
    if not pool.ring:
        return Wait(WaitKind.NO_KEY, "no key is configured")
    if unusable := pool.only_unusable(now):
        names = ", ".join(unusable)
        what = f"keys have a source address that is not on this host ({names})"
        return Wait(WaitKind.KEY_UNUSABLE, f"no key is free: {what}", None, names)
    return Wait(WaitKind.NO_KEY, "no key is free")


def _lack_of_own_key(pool: KeyPool, key_id: str, name: str, now: float) -> Wait:
    """Return why a connection does not have the only key that may serve it."""
    match pool.state(key_id, now):
        case KeyState.QUARANTINED:
            return Wait(WaitKind.KEYS_REFUSED, "its key is quarantined", pool.refused(now).until, name)
        case KeyState.UNUSABLE:
            return Wait(WaitKind.KEY_UNUSABLE, "its key's source address is not on this host", None, name)
    return Wait(WaitKind.NO_KEY, "its key still has a stream that ends", None, name)
