"""Brings about each state of an app of API v2 whose code logs it, with the real object, and ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from support.appworld import AppWorld, app_world, group_of
from support.keypools import make_key
from support.paperapp import PaperApp, PaperApps
from support.statuses import status_of
from support.stepping import A, SteppedWorld
from traptor.common.config.keys.key import ApiKey
from traptor.supervisor.apps.app import App
from traptor.supervisor.apps.bearer import Bearer
from traptor.supervisor.apps.credit import Credit
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.apps.settings import AppSettings
from traptor.supervisor.apps.wanted.composed import AppLimits
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.filters.sync.goal import ForeignFilters
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.problems.finder import find
from traptor.supervisor.problems.watch import Watch
from traptor.supervisor.xapi.batch import NewFilter
from traptor.supervisor.xapi.exchange import Ask, Exchange, Reply
from traptor.supervisor.xapi.failures import ServerTrouble
from traptor.supervisor.xapi.quota import quota_of

Drive = Callable[[Path], None]

LATER_S = 1_000.0  # every wait is over
TOKEN = json.dumps({"token_type": "bearer", "access_token": "t"}).encode()


# ---- the bearer token


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> Instant:
        return Instant(1_790_000_000.0 + self.now, self.now)


class Answers:
    """X, which gives these answers to requests for a token."""

    def __init__(self, *answers: Reply | None) -> None:
        self._answers = list(answers)

    async def ask(self, _ask: Ask, _authorization: str) -> Reply:
        if (answer := self._answers.pop(0)) is None:
            raise ServerTrouble("fetch bearer token: no answer")
        return answer


def get_no_token(status: int, kind: HoldKind) -> Drive:
    def drive(_folder: Path) -> None:
        clock = Clock()
        bearer = Bearer(make_key("app"), clock, lambda _secret: None)
        refusal = Reply(status, quota_of({}), b'{"title":"no"}') if status else None
        x = cast(Exchange, Answers(refusal, Reply(200, quota_of({}), TOKEN)))
        asyncio.run(bearer.fetch(x))
        assert _kind(bearer.hold()) is kind
        clock.now += LATER_S
        asyncio.run(bearer.fetch(x))
        assert bearer.hold() is None

    return drive


def have_a_token_refused(_folder: Path) -> None:
    clock = Clock()
    bearer = Bearer(ApiKey("app", bearer_token="given"), clock, lambda _secret: None)
    bearer.refused("given", "X answered 401")
    assert _kind(bearer.hold()) is HoldKind.BEARER_REFUSED
    clock.now += LATER_S
    asyncio.run(bearer.fetch(cast(Exchange, Answers())))
    assert bearer.hold() is None


def _kind(hold: Hold | None) -> HoldKind | None:
    return None if hold is None else hold.kind


# ---- money, and what the connection says


def be_out_of_credit(_folder: Path) -> None:
    credit = Credit("app", 60.0, lambda: None)
    credit.out("X answered 402", 0.0)
    credit.forget()  # the operator has it asked at once
    credit.good()


def hold_the_connection(kind: HoldKind) -> Drive:
    """The hold of the app is the wait of its connection, which says it."""

    def drive(folder: Path) -> None:
        world, watch, app = SteppedWorld(folder, A), Watch(), PaperApp(held=Hold(kind, "the app's reason"))
        world.context.apps = PaperApps({A.key_id: app})
        c = world.connection("track:0", "storm")
        c.app = A.key_id
        for passed in (0.0, LATER_S):
            world.step()
            watch.look(find(status_of(world)), world.now + passed)
        app.held = None
        world.stream(c)
        app.in_effect = InEffect(c.wanted.rules, "all", frozenset(c.groups))
        world.step()
        watch.look(find(status_of(world)), world.now + LATER_S)

    return drive


# ---- filters

Deed = Callable[[AppWorld, App], Awaitable[None]]


def with_app(deed: Deed, *, limits: AppLimits | None = None, **settings: Any) -> Drive:
    """Let an app that serves three rules do something in a sandbox of its own."""

    def drive(folder: Path) -> None:
        with app_world(folder, **settings) as world:
            world.settings = AppSettings(limits or AppLimits("default"))
            world.serve(track=["storm", "flood", "hail"])
            world.use(lambda app: deed(world, app))

    return drive


async def again(world: AppWorld, app: App) -> None:
    """Have the app look at what stands at X now."""
    world.clock.added_s += LATER_S
    app.doubt()
    await world.settled(app)


def fail_changes(status: int, kind: HoldKind | None) -> Drive:
    async def deed(world: AppWorld, app: App) -> None:
        world.x.fault("status", endpoint="rules_list", status=status)
        await app.turn()
        assert kind is None or _kind(app.hold()) is kind
        world.x.clear_faults()
        await again(world, app)

    return with_app(deed)


async def meet_foreign_filters(world: AppWorld, app: App) -> None:
    await app.client.add([NewFilter("kittens", "")])
    await world.settled(app)
    refuses = app.settings.limits.policy is ForeignFilters.REFUSE
    assert (_kind(app.hold()) is HoldKind.FOREIGN_FILTERS) is refuses
    world.x.forget_filters()
    await again(world, app)


async def share_an_app(world: AppWorld, app: App) -> None:
    await world.settled(app)
    await app.client.add([NewFilter("gale", "traptor/default/track:7/1")])
    await again(world, app)
    world.x.forget_filters()
    await again(world, app)


async def find_no_room(world: AppWorld, app: App) -> None:
    app.serve([group_of("track:0", *(f"storm number {number}" for number in range(20)))])
    await world.settled(app)
    assert app.composed.waiting
    app.serve([group_of("track:0", "storm")])
    await world.settled(app)
    assert not app.composed.waiting


_NOT_FETCHED, _REFUSED = "bearer token not fetched", "bearer token refused"
_UNCHANGED, _FOREIGN = "filters cannot be changed", "filters of others stand in the app"
_LEAVE = AppLimits("default", ForeignFilters.LEAVE)
_NARROW = AppLimits("default", filters=20, length=30)

APP_DRIVES: list[tuple[tuple[str, ...], str, Drive]] = [
    (("HOLDS bearer_refused",), _REFUSED, have_a_token_refused),
    (("HOLDS bearer_refused",), _NOT_FETCHED, get_no_token(403, HoldKind.BEARER_REFUSED)),
    (("HOLDS no_bearer",), _NOT_FETCHED, get_no_token(400, HoldKind.NO_BEARER)),
    (("HOLDS x_away",), _NOT_FETCHED, get_no_token(0, HoldKind.X_AWAY)),
    (("HOLDS x_away",), _UNCHANGED, fail_changes(503, HoldKind.X_AWAY)),
    (("HOLDS rate_limited",), _NOT_FETCHED, get_no_token(429, HoldKind.RATE_LIMITED)),
    (("HOLDS rate_limited",), _UNCHANGED, fail_changes(429, HoldKind.RATE_LIMITED)),
    (("HOLDS out_of_credit",), _NOT_FETCHED, get_no_token(402, HoldKind.OUT_OF_CREDIT)),
    (("HOLDS out_of_credit",), "out of credit", be_out_of_credit),
    (("HOLDS capped",), "rules are not collected", hold_the_connection(HoldKind.CAPPED)),
    (("HOLDS syncing",), "rules are not collected", hold_the_connection(HoldKind.SYNCING)),
    (("HOLDS foreign_filters",), _FOREIGN, with_app(meet_foreign_filters)),
    (("FOREIGN_FILTERS",), _FOREIGN, with_app(meet_foreign_filters, limits=_LEAVE)),
    (("APP_SHARED",), "another program changes the app's filters", with_app(share_an_app)),
    (("SYNC_FAILS",), _UNCHANGED, fail_changes(400, None)),
    (("RULES_UNFIT",), "rules wait for a filter", with_app(find_no_room, limits=_NARROW, rules=20)),
]
