"""Orders about one key: release it, or try it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from traptor.common.config.keys.key import ApiKey
from traptor.common.logs.event import fields
from traptor.common.messages import Disconnected
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.endings import RULES_REFUSED_STATUSES, failure_of
from traptor.supervisor.keys.budget import Purpose
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.keys.states import KeyState
from traptor.supervisor.orders.refused import NotNowError, UnknownNameError
from traptor.supervisor.workers.keytrial import try_out
from traptor.supervisor.workers.settings import worker_settings
from traptor.supervisor.workers.spec import connect_message

log = logging.getLogger(__name__)

_SHOWN_CHARS = 100
_HOLDER = "a test of the operator's"
_TESTED_API = "v1.1"


class KeyOrders:
    """Takes them; `wake` makes the reconcile step look at everything."""

    def __init__(self, context: Context, wake: Callable[[], None]) -> None:
        self._context = context
        self._wake = wake
        self._tested: set[str] = set()  # key ids of the tests that go on

    def release(self, name: str) -> dict[str, Any]:
        """End the rests and the quarantine of a key; the connects of its budget stay spent."""
        key = self._known(name)
        self._context.pool.release(key.key_id)
        if (app := self._context.apps.get(key.key_id)) is not None:
            app.retry()
        self._context.keys_changed = True
        log.info("the operator gave an order", extra=fields(key=name, order="release"))
        self._wake()
        now = time.monotonic()
        return {"key": name, "order": "release", "state": self._context.pool.state(key.key_id, now)}

    async def test(self, name: str) -> dict[str, Any]:
        """Connect once with the key, close at once, and return the server's answer.

        Raises NotNowError when that would end a stream, or go beyond the key's budget or rest.
        """
        key = self._known(name)
        lease = self._take(key, time.monotonic())
        self._tested.add(key.key_id)
        try:
            message = await self._connect(key)
        finally:
            self._tested.discard(key.key_id)
            if lease is not None:
                self._context.pool.give_back(lease, time.monotonic())
        self._learn(key, message, time.monotonic())
        log.info("the operator gave an order", extra=fields(key=name, order="test", status=message.status))
        self._wake()
        return {
            "key": name,
            "order": "test",
            "good": message.streamed,
            "status": message.status,
            "detail": message.detail,
            "state": self._context.pool.state(key.key_id, time.monotonic()),
        }

    def _known(self, name: str) -> ApiKey:
        key = self._context.pool.named(name)
        if key is None:
            raise UnknownNameError(f"there is no key {name[:_SHOWN_CHARS]!r}")
        return key

    def _take(self, key: ApiKey, now: float) -> Lease | None:
        """Hold a slot of the key for the test, if it can be lent at all, and spend a connect."""
        pool, state = self._context.pool, self._context.pool.state(key.key_id, now)
        if self._context.settings.traptor.api != _TESTED_API:
            raise NotNowError("with api = v2, keys are tried when their filters are read; see the status")
        if key.key_id in self._tested:
            raise NotNowError(f"{key.name} is being tried already")
        if state in (KeyState.UNUSABLE, KeyState.GONE):
            raise NotNowError(
                f"{key.name} is {state}: {pool.may_connect(key.key_id, Purpose.REFRESH, now).reason}"
            )
        if len(leases := pool.leases_of(key.key_id)) >= key.max_connections:
            raise NotNowError(f"{key.name} serves {leases[0].holder}: a test would end its stream")
        if (free_at := pool.budget_free_at(key.key_id, Purpose.REFRESH, now)) > now:
            raise NotNowError(f"{key.name} has no connect left for a test for {free_at - now:.0f} s")
        if state is KeyState.COOLING:
            raise NotNowError(f"{key.name} rests; wait, or release it first")
        lease = pool.lend_slot(key.key_id, _HOLDER, now)
        pool.spend(key.key_id, now)
        self._context.save_keys(now)
        return lease

    async def _connect(self, key: ApiKey) -> Disconnected:
        pacer = self._context.pacer
        await asyncio.sleep(max(0.0, pacer.next_at(key.source_address, time.monotonic()) - time.monotonic()))
        pacer.take(key.source_address, time.monotonic())
        return await try_out(connect_message(key), worker_settings(self._context.settings))

    def _learn(self, key: ApiKey, message: Disconnected, now: float) -> None:
        pool = self._context.pool
        if message.streamed or message.status in RULES_REFUSED_STATUSES:
            pool.release(key.key_id)
        else:
            pool.failed(key.key_id, now, failure_of(message))
        if not message.reached:
            pool.refund(key.key_id)
        self._context.keys_changed = True
