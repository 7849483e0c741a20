"""Orders about one connection: restart it, stop it, start it again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from traptor.common.logs.event import fields
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.orders.named import connection_named
from traptor.supervisor.orders.refused import NotNowError

log = logging.getLogger(__name__)


class ConnectionOrders:
    """Takes them; `wake` makes the reconcile step look at a connection."""

    def __init__(self, context: Context, planner: Planner, wake: Callable[[str], None]) -> None:
        self._context = context
        self._planner = planner
        self._wake = wake

    def restart(self, name: str) -> dict[str, Any]:
        """Have the connection's generation replaced, with no gap where the keys allow it."""
        c = self._known(name)
        if c.is_stopped:
            raise NotNowError(f"{name} is stopped; start it")
        if not c.is_planned:
            raise NotNowError(f"{name} has no rules, so there is nothing to restart")
        c.restart_ordered()
        self._planner.invalidate()
        return self._ordered(c, "restart")

    def stop(self, name: str) -> dict[str, Any]:
        """End the connection's stream until it is started again, also after a restart of the supervisor."""
        c = self._known(name)
        self._context.stops.add(name, time.time())
        c.is_stopped = True
        return self._ordered(c, "stop")

    def start(self, name: str) -> dict[str, Any]:
        """Let a stopped connection stream again."""
        if name not in self._context.stops:
            self._known(name)
            raise NotNowError(f"{name} is not stopped")
        self._context.stops.remove(name)
        c = self._context.connections.get(name)
        if c is None:  # its group has no rules now
            return {"connection": name, "order": "start", "state": None}
        c.is_stopped = False
        c.gaps.cause_changed(GapCause.START, instant(time.monotonic()))
        return self._ordered(c, "start")

    def _known(self, name: str) -> Connection:
        return connection_named(self._context.connections, name)

    def _ordered(self, c: Connection, order: str) -> dict[str, Any]:
        log.info("the operator gave an order", extra=fields(connection=c.name, order=order))
        self._wake(c.name)
        serving = c.serving
        return {
            "connection": c.name,
            "order": order,
            "state": c.state(time.monotonic()),
            "pid": serving.pid if serving is not None else None,
        }
