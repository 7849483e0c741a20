"""Orders about one key: release it, or try it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from traptor.common.config.keys.key import ApiKey
from traptor.common.logs.event import fields
from traptor.common.messages import Disconnected
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.endings import RULES_REFUSED_STATUSES, failure_of
from traptor.supervisor.keys.conduct.budget import Purpose
from traptor.supervisor.keys.conduct.states import KeyState
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.orders.refused import NotNowError, UnknownNameError
from traptor.supervisor.workers.keytrial import try_out
from traptor.supervisor.workers.spec import connect_message
from traptor.supervisor.xapi.failures import KeyRefused, XFailure

log = logging.getLogger(__name__)

_SHOWN_CHARS = 100
_HOLDER = "a test of the operator's"
_TESTED_API = "v1.1"
_NOT_OPENED = "no stream was opened for this test: it could cost the running one, and its posts cost money"


@dataclass(frozen=True, slots=True)
class _Answer:
    """The server's answer to a test; `message`: how the connect ended, if there was one."""

    is_good: bool
    status: int | None = None
    detail: str = ""
    message: Disconnected | None = None


class KeyOrders:
    """Takes them; `wake` makes the reconcile step look at everything."""

    def __init__(self, context: Context, wake: Callable[[], None]) -> None:
        self._context = context
        self._wake = wake
        self._tested: set[str] = set()  # key ids of the tests that go on

    def release(self, name: str) -> dict[str, Any]:
        """End the rests and the quarantine of a key; the connects of its budget stay spent."""
        key = self._known(name)
        self._context.pool.records.release(key.key_id)
        if (app := self._context.apps.get(key.key_id)) is not None:
            app.retry()
        self._context.keys_changed = True
        log.info("the operator gave an order", extra=fields(key=name, order="release"))
        self._wake()
        now = time.monotonic()
        return {"key": name, "order": "release", "state": self._context.pool.state(key.key_id, now)}

    async def test(self, name: str) -> dict[str, Any]:
        """Try the key with the server, and return its answer.

        Under v1.1 that is one connect, closed at once. Under v2 X is asked for the app's connections: a
        stream would take the only connection of the app, and its posts cost money. Raises NotNowError when a
        connect would end a stream, or go beyond the key's budget or rest.
        """
        key = self._known(name)
        if key.key_id in self._tested:
            raise NotNowError(f"{key.name} is being tried already")
        is_app = self._context.settings.traptor.api != _TESTED_API
        lease = None if is_app else self._take(key, time.monotonic())
        self._tested.add(key.key_id)
        try:
            answer = await (self._ask_x(key) if is_app else self._connect(key))
        finally:
            self._tested.discard(key.key_id)
            if lease is not None:
                self._context.pool.give_back(lease, time.monotonic())
        if answer.message is not None:
            self._learn(key, answer.message, time.monotonic())
        log.info("the operator gave an order", extra=fields(key=name, order="test", status=answer.status))
        self._wake()
        return {
            "key": name,
            "order": "test",
            "good": answer.is_good,
            "status": answer.status,
            "detail": answer.detail,
            "state": self._context.pool.state(key.key_id, time.monotonic()),
        }

    def _known(self, name: str) -> ApiKey:
        key = self._context.pool.ring.named(name)
        if key is None:
            raise UnknownNameError(f"there is no key {name[:_SHOWN_CHARS]!r}")
        return key

    def _take(self, key: ApiKey, now: float) -> Lease | None:
        """Hold a slot of the key for the test, if it can be lent at all, and spend a connect."""
        pool, state = self._context.pool, self._context.pool.state(key.key_id, now)
        if state in (KeyState.UNUSABLE, KeyState.GONE):
            raise NotNowError(
                f"{key.name} is {state}: {pool.may_connect(key.key_id, Purpose.REFRESH, now).reason}"
            )
        if len(leases := pool.leases_of(key.key_id)) >= key.max_connections:
            raise NotNowError(f"{key.name} serves {leases[0].holder}: a test would end its stream")
        if (free_at := pool.records.budget_free_at(key.key_id, Purpose.REFRESH, now)) > now:
            raise NotNowError(f"{key.name} has no connect left for a test for {free_at - now:.0f} s")
        if state is KeyState.COOLING:
            raise NotNowError(f"{key.name} rests; wait, or release it first")
        lease = pool.lend_slot(key.key_id, _HOLDER, now)
        pool.records.spend(key.key_id, now)
        self._context.save_keys(now)
        return lease

    async def _ask_x(self, key: ApiKey) -> _Answer:
        """Ask X with the app's bearer token; what it refuses, the app takes to heart."""
        app = self._context.apps.get(key.key_id)
        token = app.token if app is not None else ""
        try:
            found = await self._context.slots.ask(key.key_id) if token else None
        except KeyRefused as failure:
            if app is not None:
                app.refused(token, str(failure))
            return _Answer(is_good=False, detail=str(failure))
        except XFailure as failure:
            return _Answer(is_good=False, detail=str(failure))
        if found is None:
            hold = app.hold() if app is not None else None
            why = hold.text if hold is not None else "its token is being fetched"
            raise NotNowError(
                f"{key.name} has no bearer token to ask X with: {why}; correct it, or release it"
            )
        return _Answer(is_good=True, status=200, detail=f"X takes its bearer token; {found}; {_NOT_OPENED}")

    async def _connect(self, key: ApiKey) -> _Answer:
        pacer = self._context.pacer
        await asyncio.sleep(max(0.0, pacer.next_at(key.source_address, time.monotonic()) - time.monotonic()))
        pacer.take(key.source_address, time.monotonic())
        message = await try_out(connect_message(key), self._context.worker_settings)
        return _Answer(message.streamed, message.status, message.detail, message)

    def _learn(self, key: ApiKey, message: Disconnected, now: float) -> None:
        pool = self._context.pool
        if message.streamed or message.status in RULES_REFUSED_STATUSES:
            pool.records.release(key.key_id)
        else:
            pool.records.failed(key.key_id, now, failure_of(message))
        if not message.reached:
            pool.records.refund(key.key_id)
        self._context.keys_changed = True
