"""An app against a sandbox in a thread: its turns are taken by hand, and waits pass at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from support.making_tweets import rule as made_rule
from traptor.common.config.keys.key import ApiKey
from traptor.common.rules.rule import GroupId
from traptor.sandbox.server import Sandbox
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v2.client import V2Client
from traptor.sandbox.v2.settings import V2Settings
from traptor.supervisor.apps.app import App
from traptor.supervisor.apps.cost.untold import UntoldReads
from traptor.supervisor.apps.settings import AppSettings
from traptor.supervisor.apps.wanted.composed import AppLimits
from traptor.supervisor.apps.wanted.translated import Translated, Wording, translated
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.state.store import StateStore
from traptor.supervisor.xapi.exchange import Exchange, x_session

T = TypeVar("T")


class Clock:
    """Real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.added_s = 0.0

    def __call__(self) -> Instant:
        return Instant(time.time() + self.added_s, time.monotonic() + self.added_s)

    def pass_to(self, mono: float) -> None:
        self.added_s += max(0.0, mono - self().mono)


class AppWorld:
    """One sandbox, one app of it, and the master's side; `key` is what the operator gives."""

    def __init__(self, url: str, x: V2Client, state: Path) -> None:
        self.url, self.x, self.state = url, x, state
        self.clock = Clock()
        self.key = ApiKey("one", bearer_token="t-one-secret")
        self.settings = AppSettings(AppLimits("default"))
        self.groups: list[Translated] | None = []
        self.secrets: list[str] = []
        self.changes = 0

    def serve(self, **values: list[str]) -> None:
        """Set the rules of groups, such as `track=[...]`: each value is one rule."""
        self.groups = [group_of(f"{name}:0", *texts) for name, texts in values.items()]

    def use(
        self,
        deed: Callable[[App], Awaitable[T]],
        *,
        exchange: type[Exchange] = Exchange,
    ) -> T:
        """Let a new master's app do something; nothing is done at its end, as by kill -9."""

        async def using() -> T:
            with StateStore(self.state) as store:
                async with x_session() as session:
                    app = App(
                        self.key,
                        self.settings,
                        exchange(session, self.url),
                        store,
                        UntoldReads(self.state.parent, self.key.name),
                        self.clock,
                        self._changed,
                        self.secrets.append,
                    )
                    if self.groups is not None:
                        app.serve(self.groups)
                    return await deed(app)

        return asyncio.run(using())

    async def settled(self, app: App) -> App:
        """Take turns until nothing is due for a minute."""
        for _ in range(50):
            due = await app.turn()
            if due > self.clock().mono + 90:
                return app
            self.clock.pass_to(due)
        raise AssertionError("the app does not settle")

    def brought(self) -> App:
        return self.use(self.settled)

    @property
    def values(self) -> list[str]:
        """The values that stand in the app now."""
        return sorted(one["value"] for one in self.x.filters() if one["deleted_at"] is None)

    def asked(self, *endpoints: str) -> list[str]:
        wanted = endpoints or ("rules_list", "rules_change")
        return [
            f"{one['endpoint']} {one['status']}" for one in self.x.requests() if one["endpoint"] in wanted
        ]

    def _changed(self) -> None:
        self.changes += 1


@contextmanager
def app_world(folder: Path, **settings: Any) -> Iterator[AppWorld]:
    """Have a sandbox with these settings for a while."""
    usual: dict[str, Any] = {"effect_s": 0.0, "rate": 0.0, "bearers": {"one": "t-one-secret"}}
    make = partial(Sandbox, v2=V2Settings(**{**usual, **settings}))
    sandbox = SandboxThread(Settings(rate=0, connects=0), make).start()
    try:
        yield AppWorld(sandbox.url, sandbox.client.v2, folder / "state.db")
    finally:
        sandbox.stop()


def group_of(group: str, *values: str, wording: Wording = Wording()) -> Translated:  # noqa: B008 # frozen
    rules = [made_rule(group, number, value) for number, value in enumerate(values)]
    return translated(Snapshot.of(GroupId.parse(group), rules, 0.0), wording)
