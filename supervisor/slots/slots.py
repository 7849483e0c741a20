"""Frees the connections of an app that dead workers of ours still hold at X."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.supervisor.keys.addresses import is_on_this_host
from traptor.supervisor.slots.journal import Journal, dump_journal, load_journal
from traptor.supervisor.slots.verdict import address_of, judge, told
from traptor.supervisor.xapi.client import XClient
from traptor.supervisor.xapi.failures import XFailure

log = logging.getLogger(__name__)

_WHAT = "connects"
_LEARN_AFTER_S = 2.0
_POLL_S = 0.2


class SlotStore(Protocol):
    """Keeps facts on apps; StateStore does."""

    def save_app(self, key_id: str, what: str, dump: dict[str, Any]) -> None:
        """Save one kind of facts. Raises TraptorError."""

    def load_app(self, key_id: str, what: str) -> dict[str, Any] | None:
        """Return what was saved last. Raises TraptorError."""


class SlotWorld(Protocol):
    """What it needs of the rest of the master."""

    def name(self, key_id: str) -> str:
        """Return the name of the key."""

    def client(self, key_id: str) -> XClient | None:
        """Return a client of the app, or None when there is no app or no token."""

    def streams(self, key_id: str) -> Sequence[float]:
        """Return when the streams that the app has now were opened (Unix time)."""

    def is_connecting(self, key_id: str) -> bool:
        """Tell whether a worker waits for X's answer: X may count its connection before we know of it."""

    def freed(self, key_id: str) -> None:
        """Have the app's connection tried at once."""


class Slots:
    """Keeps a journal of each app's connects, and asks X about an app whose connection is taken."""

    def __init__(self, store: SlotStore, world: SlotWorld, wall: Callable[[], float]) -> None:
        self._store = store
        self._world = world
        self._wall = wall
        self._journals: dict[str, Journal] = {}
        self._holders: dict[str, str] = {}
        self._asked: asyncio.Queue[tuple[str, float | None]] = asyncio.Queue()

    # ---- what connections tell and ask

    def connecting(self, key_id: str) -> None:
        """Record a connect before it is made: a worker may die before it tells how it went."""
        self._keep(key_id, self._journal(key_id).connected(self._wall()))

    def connected(self, key_id: str, at: float) -> None:
        """Record the time of a 200, and learn from X which address of ours it sees."""
        self._holders.pop(key_id, None)
        self._keep(key_id, self._journal(key_id).connected(at))
        if not self._journal(key_id).knows_address(at):
            self._asked.put_nowait((key_id, at))

    def taken(self, key_id: str) -> None:
        """Have the app's connections looked at: X says that it has too many."""
        self._asked.put_nowait((key_id, None))

    def holder(self, key_id: str) -> str:
        """Return who holds the app's connection, as far as it is not a dead worker of ours."""
        return self._holders.get(key_id, "")

    async def ask(self, key_id: str) -> str | None:
        """Ask X for the app's connections, and say whose they are; None where there is no token to ask with.

        Raises XFailure.
        """
        client = self._world.client(key_id)
        if client is None:
            return None
        return told(await client.connections(), self._world.streams(key_id))

    # ---- the work

    async def run(self) -> None:
        """Look at what is asked for, for ever."""
        while True:
            key_id, stream_at = await self._asked.get()
            try:
                if stream_at is None:
                    await self._free(key_id)
                else:
                    await asyncio.sleep(_LEARN_AFTER_S)
                    await self._learn(key_id, stream_at)
            except XFailure as failure:
                said = fields(key=self._world.name(key_id), error=str(failure))
                log.warning("connections of an app not known", extra=said)

    async def _free(self, key_id: str) -> None:
        while self._world.is_connecting(key_id):  # noqa: ASYNC110 - no event tells of its answer
            await asyncio.sleep(_POLL_S)
        client = self._world.client(key_id)
        if client is None:
            return
        active = await client.connections()
        if self._world.is_connecting(key_id):
            self.taken(key_id)
            return
        verdict = judge(active, self._journal(key_id), self._world.streams(key_id), _is_ours)
        if verdict.dead:
            ended = await client.end_connections(verdict.dead)
            said = fields(key=self._world.name(key_id), ended=len(ended))
            log.warning("a dead worker's connection ended at X", extra=said)
        if verdict.others and verdict.others != self._holders.get(key_id):
            said = fields(key=self._world.name(key_id), by=verdict.others)
            log.warning("an app's connection is taken", extra=said)
        self._holders[key_id] = verdict.others
        if verdict.dead or not active:
            self._world.freed(key_id)

    async def _learn(self, key_id: str, stream_at: float) -> None:
        client = self._world.client(key_id)
        if client is None:
            return
        address = address_of(await client.connections(), stream_at)
        if address:
            self._keep(key_id, self._journal(key_id).came_from(address, self._wall()))

    # ---- state_dir

    def _journal(self, key_id: str) -> Journal:
        if key_id not in self._journals:
            self._journals[key_id] = self._loaded(key_id)
        return self._journals[key_id]

    def _loaded(self, key_id: str) -> Journal:
        try:
            dump = self._store.load_app(key_id, _WHAT)
            return Journal() if dump is None else load_journal(dump)
        except TraptorError as error:
            said = fields(key=self._world.name(key_id), error=str(error))
            log.warning("facts on an app are lost", extra=said)
            return Journal()

    def _keep(self, key_id: str, journal: Journal) -> None:
        self._journals[key_id] = journal
        try:
            self._store.save_app(key_id, _WHAT, dump_journal(journal))
        except TraptorError as error:
            said = fields(key=self._world.name(key_id), error=str(error))
            log.warning("facts on an app are not saved", extra=said)


def _is_ours(address: str) -> bool:
    """Tell whether an address is one of this host's."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return is_on_this_host(address)
