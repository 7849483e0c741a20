"""All apps of one master: each is run on its own, and what fails in one touches no other."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import aiohttp

from traptor.common.config.keys.key import ApiKey
from traptor.common.logs.event import fields
from traptor.common.rules.rule import GroupId
from traptor.common.timing.backoff import doubled
from traptor.supervisor.apps.app import App
from traptor.supervisor.apps.cost.untold import UntoldReads
from traptor.supervisor.apps.facts import AppStore
from traptor.supervisor.apps.settings import AppSettings, Route
from traptor.supervisor.apps.wanted.translated import Translated, Wording, translated
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.xapi.exchange import Exchange, x_session

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class Apps:
    """Owns the apps by key_id; `changed` is called with the id of one whose answers may differ."""

    def __init__(
        self,
        store: AppStore,
        state_dir: Path,
        clock: Callable[[], Instant],
        changed: Callable[[str], object],
        on_secret: Callable[[str], object],
    ) -> None:
        self._store = store
        self._state_dir = state_dir
        self._clock = clock
        self._changed = changed
        self._on_secret = on_secret
        self._apps: dict[str, App] = {}
        self._routes: dict[str, Route] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._unused: list[aiohttp.ClientSession] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._translated: dict[GroupId, tuple[str, Wording, Translated]] = {}
        self._event = asyncio.Event()

    def __iter__(self) -> Iterator[App]:
        return iter(self._apps.values())

    def get(self, key_id: str) -> App | None:
        """Return the app of a key."""
        return self._apps.get(key_id)

    def take_keys(self, keys: Iterable[tuple[ApiKey, AppSettings, Route]]) -> None:
        """Have an app for each of these keys. Of a key that is gone the app ends; its filters stay at X."""
        found = {key.key_id: (key, settings, route) for key, settings, route in keys}
        for key_id in self._apps.keys() - found.keys():
            del self._apps[key_id]
            self._leave(key_id)
        for key_id, (key, settings, route) in found.items():
            app = self._apps.get(key_id)
            if app is None:
                exchange = self._exchange(key_id, route)
                changed = self._telling(key_id)
                untold = UntoldReads(self._state_dir, key.name)
                self._apps[key_id] = App(
                    key, settings, exchange, self._store, untold, self._clock, changed, self._on_secret
                )
                continue
            if route != self._routes[key_id]:
                app.exchange = self._exchange(key_id, route)
            app.change(key, settings)
        self._event.set()

    def serve(self, key_id: str, groups: Sequence[tuple[Snapshot, Wording]]) -> None:
        """Set the rules of the groups that an app serves."""
        self._apps[key_id].serve([self._said(snapshot, wording) for snapshot, wording in groups])

    async def run(self) -> None:
        """Run the apps until cancelled."""
        try:
            while True:
                self._event.clear()
                for key_id, app in self._apps.items():
                    if key_id not in self._tasks:
                        self._tasks[key_id] = asyncio.create_task(_keep(app), name=f"app {app.key.name}")
                for unused in self._unused[:]:
                    await unused.close()
                    self._unused.remove(unused)
                await self._event.wait()
        finally:
            await self._end_tasks()

    async def close(self) -> None:
        """End all of it; what was counted is kept."""
        for session in (*self._sessions.values(), *self._unused):
            await session.close()
        self._sessions.clear()
        self._unused.clear()

    # ---- steps

    def _telling(self, key_id: str) -> Callable[[], object]:
        return lambda: self._changed(key_id)

    def _exchange(self, key_id: str, route: Route) -> Exchange:
        if key_id in self._sessions:
            self._unused.append(self._sessions.pop(key_id))
        tls = ssl.create_default_context(cafile=route.ca_file) if route.ca_file is not None else None
        session = x_session(tls, route.source_address)
        self._sessions[key_id], self._routes[key_id] = session, route
        return Exchange(session, route.api_url, route.proxy)

    def _leave(self, key_id: str) -> None:
        if (task := self._tasks.pop(key_id, None)) is not None:
            task.cancel()
        self._unused.append(self._sessions.pop(key_id))
        del self._routes[key_id]

    def _said(self, snapshot: Snapshot, wording: Wording) -> Translated:
        """Translate a group; while it stays as it is, the translation does too."""
        known = self._translated.get(snapshot.group)
        if known is None or known[:2] != (snapshot.fingerprint, wording):
            earlier = known[2] if known is not None else None
            known = snapshot.fingerprint, wording, translated(snapshot, wording, earlier)
            self._translated[snapshot.group] = known
        return known[2]

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep(app: App) -> None:
    """Run one app for ever: whatever fails, it is run again after a pause."""
    failures = 0
    while True:
        try:
            await app.run()
        except Exception:
            pause_s = doubled(_FIRST_PAUSE_S, failures, _LONGEST_PAUSE_S)
            log.exception(
                "the work for an app failed, it is begun again",
                extra=fields(key=app.key.name, retry_in_s=pause_s),
            )
            failures += 1
            await asyncio.sleep(pause_s)
