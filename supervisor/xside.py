"""The master's side of API v2: the apps at X and their connections, as far as X counts them."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from traptor.supervisor.apps.apps import Apps
from traptor.supervisor.apps.overview import overview
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.fills import Fills
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.ledger.keeper import LedgerKeeper
from traptor.supervisor.money.reads import Expand
from traptor.supervisor.slots.slots import Slots
from traptor.supervisor.workers.leftovers import app_connection
from traptor.supervisor.workers.states import GenerationState
from traptor.supervisor.xapi.client import XClient


class XSide:
    """Builds apps and slots, and answers what they ask of the rest of the master."""

    def __init__(
        self,
        context: Context,
        ledger: LedgerKeeper,
        rates: Callable[[str], tuple[Sequence[float], float | None]],
        wake: Callable[[str], None],
        on_secret: Callable[[str], object],
    ) -> None:
        """Take the ledger, and what tells the posts a second of a connection: of each minute, and now."""
        self._context = context
        self._wake = wake
        state_dir = context.settings.supervisor.state_dir
        self.apps = Apps(
            context.store, state_dir, lambda: instant(time.monotonic()), self._changed, on_secret
        )
        self.slots = Slots(context.store, self, time.time)
        book = ledger.ledger.fills
        self.fills = Fills(context, self.apps, book, ledger.carried, ledger.write_soon, rates)
        context.apps, context.slots, context.fills = self.apps, self.slots, self.fills

    def jobs(self) -> Sequence[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Return the jobs to be run, with their names."""
        return (("apps", self.apps.run), ("slots", self.slots.run), ("fills", self.fills.run))

    async def aclose(self) -> None:
        """End the work for the apps; what was counted is kept."""
        await self.apps.close()

    def status(self) -> list[dict[str, Any]]:
        """Return the apps as the status shows them."""
        expand, now = Expand(self._context.settings.traptor.expand), instant(time.monotonic())
        return [overview(app, expand, now) for app in self.apps]

    # ---- asked by slots

    def name(self, key_id: str) -> str:
        """Return the name of the key; one that has left the configuration has none, and shows its id."""
        return next((one.name for one in self._context.settings.keys if one.key_id == key_id), key_id)

    def client(self, key_id: str) -> XClient | None:
        """Return a client of the app, or None when there is no app or no token."""
        app = self.apps.get(key_id)
        return app.client if app is not None and app.token else None

    def streams(self, key_id: str) -> Sequence[float]:
        """Return when the streams that the app has now were opened, or jobs asked for (Unix time)."""
        live = [
            instant(g.streaming_since).wall
            for g in self._context.fleet.generations
            if g.streaming_since is not None and g.last_key_id == key_id
        ]
        return [*live, *self.fills.jobs(key_id)]

    def is_connecting(self, key_id: str) -> bool:
        """Tell whether a worker waits for X's answer."""
        return any(
            g.state is GenerationState.CONNECTING and g.last_key_id == key_id
            for g in self._context.fleet.generations
        )

    def freed(self, key_id: str) -> None:
        """Have the app's connection tried at once."""
        self._context.pool.records.slot_freed(key_id)
        for c in self._context.connections.values():
            if c.app == key_id:
                c.slot_refused_until = 0.0
        self._context.keys_changed = True
        self._changed(key_id)

    def _changed(self, key_id: str) -> None:
        for key in self._context.settings.keys:
            if key.key_id == key_id:
                self._wake(app_connection(key.name))  # and so the second one, if there is one
