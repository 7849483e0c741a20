"""Syncs against the sandbox: what it was asked, and what stands in the app in the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest
from support.fakex import Asked, Said, fake_x

from traptor.sandbox.server import Sandbox
from traptor.sandbox.thread import SandboxThread
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v2.client import V2Client
from traptor.sandbox.v2.settings import Batches, V2Settings
from traptor.supervisor.filters.sync.budget import RequestLimits
from traptor.supervisor.filters.sync.goal import ForeignFilters, Goal
from traptor.supervisor.filters.sync.runner import Sync, SyncOutcome
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.xapi.answers import ListedFilter
from traptor.supervisor.xapi.batch import NewFilter
from traptor.supervisor.xapi.client import XClient, fetch_bearer
from traptor.supervisor.xapi.exchange import Exchange, Reply, x_session
from traptor.supervisor.xapi.failures import KeyRefused, OutOfCredit, RateLimited, ServerTrouble

T = TypeVar("T")
LEAVE = ForeignFilters.LEAVE
ANIMALS = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")


class Clock:
    """Real time, and what a test adds to it."""

    def __init__(self) -> None:
        self.added_s = 0.0

    def __call__(self) -> Instant:
        return Instant(time.time() + self.added_s, time.monotonic() + self.added_s)

    def pass_to(self, mono: float) -> None:
        self.added_s += max(0.0, mono - self().mono)


class World:
    """One sandbox with one app, and the master's side of it."""

    def __init__(self, url: str, x: V2Client) -> None:
        self.url = url
        self.x = x
        self.clock = Clock()

    def sync(self, client: XClient, limits: RequestLimits | None = None) -> Sync:
        return Sync(client, limits or RequestLimits(), self.clock)

    def talk(self, use: Callable[[XClient], Awaitable[T]]) -> T:
        async def talking() -> T:
            async with x_session() as session:
                return await use(XClient(Exchange(session, self.url), "t-one"))

        return asyncio.run(talking())

    def brought(self, goal: Goal) -> SyncOutcome:
        return self.talk(lambda client: self.settled(self.sync(client), goal))

    async def settled(self, sync: Sync, goal: Goal) -> SyncOutcome:
        """Run until nothing is left to do, however long the waits are."""
        sync.want(goal)
        outcome = await sync.run()
        while outcome.again_at is not None:
            self.clock.pass_to(outcome.again_at)
            outcome = await sync.run()
        return outcome

    def put(self, *values: str, tag: str = "") -> None:
        self.talk(lambda client: client.add([NewFilter(value, tag) for value in values]))

    @property
    def values(self) -> list[str]:
        return sorted(one["value"] for one in self.listed())

    @property
    def standing(self) -> list[str]:
        """The values that stand there by the sandbox's own record, which can be asked from within `talk`."""
        return sorted(one["value"] for one in self.x.filters() if one["deleted_at"] is None)

    def listed(self) -> list[dict[str, Any]]:
        async def listing(client: XClient) -> list[dict[str, Any]]:
            return [{"id": one.id, "value": one.value, "tag": one.tag} for one in await client.filters()]

        return self.talk(listing)

    def asked(self) -> list[str]:
        """Changes and lists so far, in order, with their status."""
        return [f"{one['endpoint']} {one['status']}" for one in self.x.requests()]


@pytest.fixture
def start() -> Iterator[Callable[..., World]]:
    started: list[SandboxThread] = []

    def starter(**settings: Any) -> World:
        usual: dict[str, Any] = {"effect_s": 0.0, "rate": 0.0, "bearers": {"one": "t-one"}}
        make = partial(Sandbox, v2=V2Settings(**{**usual, **settings}))
        started.append(SandboxThread(Settings(rate=0, connects=0), make).start())
        return World(started[-1].url, started[-1].client.v2)

    yield starter
    for sandbox in started:
        sandbox.stop()


@pytest.fixture
def world(start: Callable[..., World]) -> World:
    return start()


def goal(*values: str, policy: ForeignFilters = LEAVE, capacity: int = 1_000) -> Goal:
    return Goal("default", dict.fromkeys(values, "track:0"), policy, capacity)


def test_a_first_load_takes_one_list_and_one_request_for_each_batch(world: World) -> None:
    values = [f"storm {number}" for number in range(352)]
    outcome = world.brought(goal(*values))
    assert world.asked() == ["rules_list 200", *["rules_change 201"] * 4]
    assert set(outcome.difference.carried) == set(values)
    assert {one["tag"] for one in world.listed()} == {f"traptor/default/track:0/{n + 1}" for n in range(352)}


def test_a_change_is_added_and_the_old_deleted_when_it_is_in_effect(world: World) -> None:
    world.brought(goal("ant OR bee", "cat"))
    world.brought(goal("ant", "bee", "cat"))
    assert world.values == ["ant", "bee", "cat"]
    assert world.asked()[2:5] == ["rules_list 200", "rules_change 201", "rules_change 200"]


@pytest.mark.parametrize("batches", list(Batches))
def test_two_bad_values_of_fifty_come_back_with_reason_and_position(
    start: Callable[..., World], batches: Batches
) -> None:
    world = start(batches=batches)
    good = [f"storm {number}" for number in range(48)]
    long = " OR ".join(f"word{number}" for number in range(300))
    outcome = world.brought(goal(*good[:20], long, *good[20:], "has:media"))
    assert world.values == sorted(good)
    assert set(outcome.difference.refused) == {long, "has:media"}
    assert all("position" in reason or "long" in reason for reason in outcome.difference.refused.values())
    assert len(world.asked()) <= 4


def test_a_batch_with_only_bad_values_ends_without_a_filter(world: World) -> None:
    outcome = world.brought(goal("has:media"))
    assert not outcome.difference.carried
    assert set(outcome.difference.refused) == {"has:media"}


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (ForeignFilters.REFUSE, ["cats has:media", "dogs", "ours"]),
        (ForeignFilters.LEAVE, ["cats has:media", "dogs", "new", "ours"]),
        (ForeignFilters.ADOPT, ["cats has:media", "new", "ours"]),
        (ForeignFilters.REMOVE, ["new", "ours"]),
    ],
)
def test_three_forgotten_filters(world: World, policy: ForeignFilters, left: list[str]) -> None:
    world.put("cats has:media", "dogs", "ours")
    outcome = world.brought(goal("ours", "new", policy=policy))
    assert world.values == left
    if policy in (ForeignFilters.REFUSE, ForeignFilters.LEAVE):
        assert {one.value for one in outcome.difference.foreign} == {"cats has:media", "dogs"}


def test_filters_that_vanished_are_put_back_by_the_next_look(world: World) -> None:
    async def use(client: XClient) -> None:
        sync = world.sync(client)
        await world.settled(sync, goal("ant", "bee"))
        world.x.forget_filters()
        assert (await sync.run()).difference.missing == ()  # nobody looked
        sync.doubt()
        await world.settled(sync, goal("ant", "bee"))

    world.talk(use)
    assert world.values == ["ant", "bee"]
    assert world.asked()[:4] == ["rules_list 200", "rules_change 201"] * 2


def test_an_app_at_its_cap_is_counted_and_tells_what_found_no_room(start: Callable[..., World]) -> None:
    world = start(rules=5)
    outcome = world.brought(goal(*ANIMALS))
    assert world.values == list(ANIMALS[:5])
    assert outcome.unplaced == ANIMALS[5:]
    assert "rules_counts 200" in world.asked()
    assert world.clock.added_s < 1.0, "what has room is added at once"


# ---- interrupted


class Killed(Exception):
    """The master is no more."""


class Mortal(Exchange):
    """Asks; at the request number `last` X carries it out, and the answer finds nobody."""

    last = 0

    async def ask(self, *args: Any, **options: Any) -> Reply:
        reply = await super().ask(*args, **options)
        self.last -= 1
        if self.last < 0:
            raise Killed
        return reply


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("keeps_state", [True, False])
def test_a_master_that_dies_at_any_request_is_repaired_by_the_next(
    world: World, step: int, keeps_state: bool
) -> None:
    world.brought(goal("ant OR bee", "cat OR dog", "gone", "elk"))
    wanted = goal("ant", "bee", "cat", "dog", "elk", "has:media")
    kept: list[dict[str, Any]] = []

    async def die() -> None:
        async with x_session() as session:
            exchange = Mortal(session, world.url)
            exchange.last = step
            sync = Sync(
                XClient(exchange, "t-one"), RequestLimits(), world.clock, lambda: kept.append(sync.dump())
            )
            await world.settled(sync, wanted)

    before = len(world.asked())
    with contextlib.suppress(Killed):
        asyncio.run(die())
    done = min(step + 1, 4)  # list, add, delete what nobody wants, delete what is carried elsewhere
    assert len(world.asked()) == before + done

    async def live(client: XClient) -> SyncOutcome:
        sync = world.sync(client)
        if keeps_state:
            sync.load(json.loads(json.dumps(kept[-1])))
        return await world.settled(sync, wanted)

    outcome = world.talk(live)
    assert len(world.asked()) <= before + done + 4
    assert world.values == ["ant", "bee", "cat", "dog", "elk"]
    assert set(outcome.difference.refused) == {"has:media"}


def test_an_answer_that_is_lost_makes_the_next_run_look(world: World) -> None:
    async def use(client: XClient) -> None:
        sync = world.sync(client)
        sync.want(goal("ant"))
        world.x.fault("lost_answer", endpoint="rules_change", times=1)
        outcome = await sync.run()
        assert isinstance(outcome.trouble, ServerTrouble)
        assert outcome.again_at
        await world.settled(sync, goal("ant"))

    world.talk(use)
    assert world.asked() == ["rules_list 200", "rules_change 503", "rules_list 200"]


def test_two_masters_of_one_collection_do_not_delete_each_other_s_filters_for_ever(world: World) -> None:
    async def use(client: XClient) -> None:
        one, two = world.sync(client), world.sync(client)
        await world.settled(one, goal("ant"))
        await world.settled(two, goal("bee"))
        assert world.standing == ["bee"], "at its start a master takes all with its tag for its own"
        for _ in range(2):
            for sync in (one, two):
                sync.doubt()
                await sync.run()
        now = world.clock().mono
        assert world.standing == ["ant", "bee"]
        assert [[gone.value for gone in sync.take_vanished()] for sync in (one, two)] == [["ant"], []]
        assert [[found.value for found in sync.standing.strange(now)] for sync in (one, two)] == [
            ["bee"],
            ["ant"],
        ]
        changes = len(world.x.requests("rules_change"))
        world.clock.added_s += 3_700
        assert not one.standing.strange(world.clock().mono)
        two.doubt()
        await two.run()
        assert world.standing == ["bee"], "nobody may want it any more"
        assert len(world.x.requests("rules_change")) == changes + 1

    world.talk(use)


@pytest.mark.parametrize("status", [503, 500])
def test_what_a_lost_answer_added_is_no_stranger(world: World, status: int) -> None:
    async def use(client: XClient) -> None:
        sync = world.sync(client)
        await world.settled(sync, goal("ant"))
        world.x.fault("lost_answer", endpoint="rules_change", status=status, times=1)
        sync.want(goal("ant", "bee"))
        await sync.run()
        await world.settled(sync, goal("ant"))
        assert world.standing == ["ant"]
        assert not sync.standing.strange(world.clock().mono)
        assert not sync.take_vanished()

    world.talk(use)


def test_a_run_that_is_cancelled_makes_the_next_one_look(world: World) -> None:
    async def use(client: XClient) -> None:
        sync = world.sync(client)
        sync.want(goal("ant"))
        world.x.fault("slow_start", endpoint="rules_change", after=30, times=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sync.run(), 0.5)
        await world.settled(sync, goal("ant"))

    world.talk(use)
    assert world.values == ["ant"]
    assert sum(one.startswith("rules_list") for one in world.asked()) >= 2


# ---- refused


def test_500s_queue_changes_and_waits_grow(world: World) -> None:

    async def use(client: XClient) -> None:
        sync = world.sync(client)
        await world.settled(sync, goal("ant"))
        world.x.fault("status", endpoint="rules_change", status=500)
        for number, rest_s in enumerate((5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0)):
            sync.want(goal("ant", f"bee{number}"))
            began = world.clock().mono
            outcome = await sync.run()
            assert isinstance(outcome.trouble, ServerTrouble)
            assert outcome.again_at
            assert outcome.again_at - world.clock().mono <= rest_s <= outcome.again_at - began
            asked = len(world.x.requests())
            await sync.run()  # a hint hastens nothing
            assert len(world.x.requests()) == asked
            world.clock.pass_to(outcome.again_at)
        world.x.clear_faults()
        await world.settled(sync, goal("ant", "bee7"))

    world.talk(use)
    assert world.values == ["ant", "bee7"]


def test_a_cap_that_x_s_own_counts_deny_is_waited_out_and_told(world: World) -> None:
    """X says that the app may have no more filters, and counts one of a thousand."""

    async def use(client: XClient) -> tuple[list[SyncOutcome], int]:
        sync = world.sync(client)
        await world.settled(sync, goal("ant"))
        world.x.fault("status", endpoint="rules_change", problem="rule-cap")
        before, began, outcomes = len(world.x.requests("rules_change")), world.clock().mono, []
        sync.want(goal("ant", "bee"))
        while world.clock().mono < began + 900.0:
            sync.doubt()
            outcomes.append(await sync.run())
            assert outcomes[-1].again_at
            world.clock.pass_to(outcomes[-1].again_at)
        asked = len(world.x.requests("rules_change")) - before
        world.x.clear_faults()
        await world.settled(sync, goal("ant", "bee"))
        return outcomes, asked

    outcomes, asked = world.talk(use)
    assert asked <= 10, "of 100 changes in 15 minutes"
    trouble = str(outcomes[-1].trouble)
    assert "add filters: X answered 422" in trouble
    assert trouble.endswith("; by its own counts 999 more have room")
    assert world.values == ["ant", "bee"]


def test_a_wait_that_x_asks_for_is_kept(world: World) -> None:
    async def use(client: XClient) -> SyncOutcome:
        sync = world.sync(client)
        sync.want(goal("ant"))
        world.x.fault("status", endpoint="rules_list", status=503, headers={"Retry-After": "77"}, times=1)
        return await sync.run()

    outcome = world.talk(use)
    assert outcome.again_at
    assert round(outcome.again_at - world.clock().mono) == 77


HEADERS: list[tuple[dict[str, str | None], int]] = [
    ({"x-rate-limit-limit": "1"}, 1),
    ({"x-rate-limit-limit": "40000", "x-rate-limit-remaining": "39999"}, 6),
    (
        {"x-rate-limit-limit": None, "x-rate-limit-remaining": None, "x-rate-limit-reset": None},
        6,
    ),
    ({"x-rate-limit-reset": "1"}, 6),
    ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1"}, 1),
    ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(time.time()) + 3 * 3_600)}, 1),
]


@pytest.mark.parametrize(("headers", "most"), HEADERS)
def test_there_are_never_more_requests_than_the_smaller_limit(
    world: World, headers: dict[str, str | None], most: int
) -> None:
    async def use(client: XClient) -> SyncOutcome:
        sync = world.sync(client, RequestLimits(changes=6))
        world.x.fault("headers", endpoint="rules_change", headers=headers)
        for number in range(10):
            sync.want(goal(*(f"v{one}" for one in range(number + 1))))
            outcome = await sync.run()
            if outcome.trouble is None and outcome.again_at is not None:  # it is gathered with others
                world.clock.pass_to(outcome.again_at)
                outcome = await sync.run()
        return outcome

    outcome = world.talk(use)
    assert len(world.x.requests("rules_change")) == most
    assert outcome.again_at
    assert outcome.again_at > world.clock().mono + 50


def test_a_change_that_waits_for_requests_says_so_and_until_when(world: World) -> None:
    async def use(client: XClient) -> tuple[SyncOutcome, SyncOutcome]:
        sync = world.sync(client, RequestLimits(changes=1))
        sync.want(goal("ant"))
        await sync.run()
        sync.want(goal("ant", "bee"))
        by_our_count = await sync.run()
        other = world.sync(client)
        world.x.fault("status", endpoint="rules_change", problem="rate-limit", times=1)
        other.want(goal("ant", "bee"))
        await other.run()
        world.clock.added_s += 10
        other.doubt()
        return by_our_count, await other.run()  # its list went well

    by_our_count, by_theirs = world.talk(use)
    assert str(by_our_count.trouble) == "change filters: 1 of 1 requests in 900 s are used"
    assert str(by_theirs.trouble) == "change filters: X takes no more of these requests for now"
    assert by_our_count.again_at
    assert by_theirs.again_at


def test_changes_every_few_seconds_are_gathered_and_never_wait_for_long(world: World) -> None:
    """Each is one filter for another: two requests, of 100 in 15 minutes, every 3 s."""
    waits: list[float] = []

    async def use(client: XClient) -> int:
        sync = world.sync(client)
        await world.settled(sync, goal("ant"))
        began, wanted_at, at_once = world.clock().mono, dict[str, float](), 0
        while (now := world.clock().mono) < began + 600.0:
            number = int((now - began) / 3.0)
            wanted_at.setdefault(f"v{number}", now)
            sync.want(goal("ant", f"v{number}", *(f"v{one}" for one in range(number) if one % 10 == 0)))
            outcome = await sync.run()
            assert outcome.trouble is None
            at = world.clock().mono
            waits.extend(
                at - wanted_at.pop(value) for value in outcome.difference.carried.keys() & wanted_at.keys()
            )
            at_once += not outcome.difference.missing and number < 50
            hint = began + 3.0 * (number + 1)
            world.clock.pass_to(min(hint, outcome.again_at or hint))
        return at_once

    at_once = world.talk(use)
    assert at_once >= 15, "while there are plenty"
    assert max(waits) < 60.0
    assert len(world.x.requests("rules_change")) <= 100


def test_a_full_batch_and_an_app_without_a_filter_gather_nothing(world: World) -> None:
    async def use(client: XClient) -> None:
        sync = world.sync(client, RequestLimits(changes=4))
        sync.want(goal(*(f"v{number}" for number in range(250))))
        outcome = await sync.run()
        assert outcome.again_at is not None, "the last part is no full batch"
        assert (outcome.trouble, len(outcome.difference.missing)) == (None, 50)
        world.x.forget_filters()
        sync.want(goal("ant"))
        sync.doubt()
        await sync.run()
        assert world.standing == ["ant"], "nothing streams without it"

    world.talk(use)


def test_a_429_is_obeyed(world: World) -> None:
    async def use(client: XClient) -> None:
        sync = world.sync(client)
        sync.want(goal("ant"))
        headers = {"x-rate-limit-reset": str(int(world.clock().wall) + 700)}
        world.x.fault("status", endpoint="rules_change", problem="rate-limit", headers=headers, times=1)
        outcome = await sync.run()
        assert isinstance(outcome.trouble, RateLimited)
        world.clock.added_s += 600
        outcome = await sync.run()
        assert outcome.again_at
        assert 50 < outcome.again_at - world.clock().mono < 101
        await world.settled(sync, goal("ant"))

    world.talk(use)
    assert world.asked() == ["rules_list 200", "rules_change 429", "rules_change 201"]


@pytest.mark.parametrize(
    ("problem", "kind", "rest_s"),
    [
        ("credits", OutOfCredit, 1_800),
        ("credits-depleted", OutOfCredit, 1_800),
        ("unauthorized", KeyRefused, 900),
    ],
)
def test_a_refused_app_is_left_alone_for_long(
    world: World, problem: str, kind: type[Exception], rest_s: int
) -> None:
    async def use(client: XClient) -> SyncOutcome:
        sync = world.sync(client)
        world.x.fault("status", endpoint="any", problem=problem, times=1)
        sync.want(goal("ant"))
        return await sync.run()

    outcome = world.talk(use)
    assert isinstance(outcome.trouble, kind)
    assert outcome.again_at
    assert round(outcome.again_at - world.clock().mono) == rest_s
    assert len(world.asked()) == 1


# ---- the client against the sandbox


def test_connections_counts_usage_and_token(start: Callable[..., World]) -> None:
    world = start(linger_s=300.0)
    world.put("ant")
    world.x.fault("zombie", app="one", client_ip="192.0.2.7")

    async def use(client: XClient) -> None:
        [one] = await client.connections()
        assert one.client_ip == "192.0.2.7"
        assert await client.end_connections([one.id]) == {one.id}
        assert await client.connections() == ()
        counts = await client.counts()
        assert counts.client_app_rules_count
        assert counts.client_app_rules_count.rule_count == 1
        assert counts.cap_per_client_app == 1_000
        assert (await client.usage()).project_usage == 0

    world.talk(use)


def test_a_fetched_token_opens_the_app(start: Callable[..., World]) -> None:
    world = start(bearers={})

    async def talk() -> tuple[ListedFilter, ...]:
        async with x_session() as session:
            exchange = Exchange(session, world.url)
            return await XClient(exchange, await fetch_bearer(exchange, "one-ck", "one-cs")).filters()

    assert asyncio.run(talk()) == ()


def test_a_list_of_many_pages_is_read_whole() -> None:
    def answer(asked: Asked) -> Said:
        page = int(asked.query.get("pagination_token", "0"))
        data = [{"id": str(page), "value": f"v{page}", "tag": "traptor/default/track:0/1"}]
        return Said({"data": data, "meta": {"next_token": str(page + 1)} if page < 4 else {}})

    async def talk() -> None:
        async with fake_x(answer) as (fake, exchange):
            sync = Sync(XClient(exchange, "t"), RequestLimits(lists=7), Clock())
            sync.want(goal("v0", "v1", "v2", "v3", "v4"))
            assert not (await sync.run()).difference.missing
            sync.doubt()
            assert (await sync.run()).again_at  # two requests are left, and five are needed
            assert len(fake.asked) == 7

    asyncio.run(talk())


def test_a_value_that_x_refuses_with_a_page_of_html_keeps_no_other_out() -> None:
    listed: list[dict[str, str]] = []

    def answer(asked: Asked) -> Said:
        if asked.method == "GET":
            return Said({"data": listed, "meta": {}})
        values = [one["value"] for one in asked.json["add"]]
        if "bad" in values:
            return Said(b"<html>Bad Request</html>", 400)
        new = [{"id": f"i-{value}", "value": value} for value in values]
        listed.extend(new)
        return Said({"data": new, "meta": {"summary": {"created": len(new)}}}, 201)

    async def talk() -> SyncOutcome:
        async with fake_x(answer) as (_, exchange):
            sync = Sync(XClient(exchange, "t"), RequestLimits(), Clock())
            sync.want(goal(*ANIMALS[:4], "bad", *ANIMALS[4:]))
            return await sync.run()

    outcome = asyncio.run(talk())
    assert outcome.difference.refused == {"bad": "add filters: X answered 400: no reason given"}
    assert set(outcome.difference.carried) == set(ANIMALS)


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_values_that_x_passes_over_in_silence_are_sent_once_more(taken: int) -> None:
    listed: list[dict[str, str]] = []

    def answer(asked: Asked) -> Said:
        if asked.method == "GET":
            return Said({"data": listed, "meta": {}})
        values = [one["value"] for one in asked.json["add"] if one["value"] != "bad"]
        new = [{"id": f"i-{value}", "value": value} for value in values[:taken]]
        listed.extend(new)
        return Said({"data": new, "meta": {"summary": {"created": len(new)}}}, 201)

    async def talk() -> SyncOutcome:
        async with fake_x(answer) as (_, exchange):
            sync = Sync(XClient(exchange, "t"), RequestLimits(), Clock())
            sync.want(goal(*ANIMALS[:4], "bad", *ANIMALS[4:]))
            return await sync.run()

    outcome = asyncio.run(talk())
    assert set(outcome.difference.carried) == set(ANIMALS)
    assert outcome.difference.refused == {"bad": "X does not take it and gives no reason"}
