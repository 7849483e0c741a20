"""All apps of a master: each on its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from support.appworld import AppWorld
from support.making_tweets import rule as made_rule

from traptor.common.config.keys.key import ApiKey
from traptor.common.rules.rule import GroupId
from traptor.supervisor.apps.app import App
from traptor.supervisor.apps.apps import Apps
from traptor.supervisor.apps.settings import AppSettings, Route
from traptor.supervisor.apps.wanted.composed import AppLimits
from traptor.supervisor.apps.wanted.translated import Wording
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.state.store import StateStore

ONE, TWO = (ApiKey(name, bearer_token=f"t-{name}-secret") for name in ("one", "two"))
SETTINGS = AppSettings(AppLimits("default"))
BEARERS = {"one": "t-one-secret", "two": "t-two-secret"}


def snapshot(group: str, *values: str) -> tuple[Snapshot, Wording]:
    rules = [made_rule(group, number, value) for number, value in enumerate(values)]
    return Snapshot.of(GroupId.parse(group), rules, 0.0), Wording()


def during(state: Path, deed: Callable[[Apps], Awaitable[None]]) -> None:
    """Run apps while something happens to them."""

    async def running() -> None:
        with StateStore(state) as store:
            apps = Apps(
                store,
                state.parent,
                lambda: instant(time.monotonic()),
                lambda _key: None,
                lambda _secret: None,
            )
            job = asyncio.create_task(apps.run())
            try:
                await deed(apps)
            finally:
                job.cancel()
                await asyncio.gather(job, return_exceptions=True)
                await apps.close()

    asyncio.run(running())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # the sandbox is in another thread
            await asyncio.sleep(0.01)


def test_each_app_has_its_groups(start: Callable[..., AppWorld], tmp_path: Path) -> None:
    world = start(bearers=BEARERS)

    async def serving(apps: Apps) -> None:
        apps.take_keys([(ONE, SETTINGS, Route(world.url)), (TWO, SETTINGS, Route(world.url))])
        apps.serve(ONE.key_id, [snapshot("track:0", "storm"), snapshot("track:1", "flood")])
        apps.serve(TWO.key_id, [snapshot("track:2", "hail")])
        await until(lambda: len(world.values) == 3)
        apps.take_keys([(ONE, SETTINGS, Route(world.url))])
        assert apps.get(TWO.key_id) is None
        apps.serve(ONE.key_id, [snapshot("track:0", "storm")])
        await until(lambda: len(world.values) == 2)

    during(tmp_path / "state.db", serving)
    assert [one["value"] for one in world.x.filters("one") if one["deleted_at"] is None] == ["storm"]
    assert [one["value"] for one in world.x.filters("two") if one["deleted_at"] is None] == ["hail"]


def test_what_fails_in_one_app_touches_no_other(
    start: Callable[..., AppWorld], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = start(bearers=BEARERS)
    real = App.turn

    async def turn(app: App) -> float:
        if app.key.name == "one":
            raise RuntimeError("a bug")
        return await real(app)

    monkeypatch.setattr(App, "turn", turn)

    async def serving(apps: Apps) -> None:
        apps.take_keys([(ONE, SETTINGS, Route(world.url)), (TWO, SETTINGS, Route(world.url))])
        apps.serve(ONE.key_id, [snapshot("track:0", "storm")])
        apps.serve(TWO.key_id, [snapshot("track:2", "hail")])
        await until(lambda: world.values == ["hail"])
        monkeypatch.setattr(App, "turn", real)
        await until(lambda: world.values == ["hail", "storm"])

    during(tmp_path / "state.db", serving)


def test_a_change_of_one_rule_asks_x_within_a_moment(start: Callable[..., AppWorld], tmp_path: Path) -> None:
    world = start(bearers=BEARERS)

    async def serving(apps: Apps) -> None:
        apps.take_keys([(ONE, SETTINGS, Route(world.url))])
        apps.serve(ONE.key_id, [snapshot("track:0", "storm")])
        await until(lambda: world.values == ["storm"])
        apps.serve(ONE.key_id, [snapshot("track:0", "storm", "hail")])
        await until(lambda: world.values == ["hail", "storm"])

    during(tmp_path / "state.db", serving)
    assert world.asked() == ["rules_list 200", "rules_change 201", "rules_change 201"]
