"""One app against the sandbox: what it asks X, and what it tells about its stream and its rules."""

from __future__ import annotations

import dataclasses
import json
import logging
import sqlite3
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from support.appworld import AppWorld, group_of

from traptor.common.config.keys.key import ApiKey
from traptor.common.files.reads import ReadCounts, ReadsFile
from traptor.common.logs.format import formatter
from traptor.common.logs.mask import SecretMask
from traptor.supervisor.apps.app import App
from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.apps.cost.untold import UntoldReads
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.apps.overview import overview
from traptor.supervisor.apps.settings import AppSettings
from traptor.supervisor.apps.wanted.composed import AppLimits
from traptor.supervisor.filters.sync.goal import ForeignFilters
from traptor.supervisor.filters.sync.memory import load_standing
from traptor.supervisor.filters.sync.standing import EFFECT_S
from traptor.supervisor.money.caps import Caps
from traptor.supervisor.money.reads import Expand, Reads
from traptor.supervisor.state.store import kept_standing
from traptor.supervisor.xapi.batch import NewFilter
from traptor.supervisor.xapi.exchange import TIMEOUT_S, Ask, Exchange, Reply
from traptor.supervisor.xapi.failures import RequestRefused
from traptor.supervisor.xapi.quota import Quota


def kind(app: App) -> HoldKind | None:
    hold = app.hold()
    return None if hold is None else hold.kind


def keys(app: App) -> list[str]:
    assert app.in_effect is not None
    return [rule.rule_id for rule in app.in_effect.rules]


def put(world: AppWorld, *values: str, tag: str = "") -> None:
    async def adding(app: App) -> None:
        await app.client.add([NewFilter(value, tag) for value in values])

    groups, world.groups = world.groups, None
    world.use(adding)
    world.groups = groups


def allows(world: AppWorld, policy: ForeignFilters) -> None:
    world.settings = AppSettings(AppLimits("default", policy))


# ---- filters


def test_rules_become_filters_and_are_in_effect_after_a_while(world: AppWorld) -> None:
    world.serve(track=["storm", "flood warning"], follow=["12", "13"])

    async def watch(app: App) -> list[list[str]]:
        assert kind(app) is HoldKind.SYNCING
        await app.turn()
        assert kind(app) is None
        before = keys(app)
        await world.settled(app)
        return [before, keys(app)]

    assert world.use(watch) == [[], ["0", "1", "0", "1"]]
    assert len(world.values) == 3
    assert world.asked() == ["rules_list 200", "rules_change 201"]


def test_a_post_that_names_a_filter_shows_that_it_is_in_effect(world: AppWorld) -> None:
    world.serve(track=["storm", "flood"])

    async def watch(app: App) -> list[str]:
        await app.turn()
        [storm] = [one.filter_id for one in app.knowledge.meanings if one.values == ("storm",)]
        app.saw([storm, "of somebody else"])
        await app.turn()
        return keys(app)

    assert world.use(watch) == ["0"]


def test_a_filter_that_comes_into_effect_while_a_turn_goes_on_is_noticed_by_the_next(
    world: AppWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many rules, on a busy machine, working out what is in effect takes a while."""
    world.serve(track=["storm"])

    async def watch(app: App) -> list[list[str]]:
        note = app.filtering.note

        def slow_note() -> None:
            note()
            world.clock.added_s += EFFECT_S + 1

        monkeypatch.setattr(app.filtering, "note", slow_note)
        due = await app.turn()
        before = keys(app)
        assert due <= world.clock().mono, "it looks again at once"
        await app.turn()
        return [before, keys(app)]

    assert world.use(watch) == [[], ["0"]]


def test_nothing_is_changed_at_x_before_the_rules_are_known(world: AppWorld) -> None:
    put(world, "storm", tag="traptor/default/track:0/1")
    world.groups = None
    app = world.use(world.settled)
    assert world.values == ["storm"]
    assert world.asked() == ["rules_change 201", "rules_list 200"]
    assert kind(app) is HoldKind.SYNCING


def test_filters_that_x_loses_are_put_back_by_a_look(world: AppWorld) -> None:
    world.serve(track=["storm"])

    async def watch(app: App) -> None:
        await world.settled(app)
        world.x.forget_filters()
        world.clock.pass_to(world.clock().mono + world.settings.look_s)
        await world.settled(app)
        assert keys(app) == ["0"]

    world.use(watch)
    assert world.values == ["storm"]


def test_a_refused_stream_makes_it_look_at_once(world: AppWorld) -> None:
    world.serve(track=["storm"])

    async def watch(app: App) -> None:
        await world.settled(app)
        world.x.forget_filters()
        app.doubt()
        await app.turn()

    world.use(watch)
    assert world.values == ["storm"]


def test_a_rule_that_left_is_forgotten_although_another_group_keeps_its_filter(world: AppWorld) -> None:
    world.groups = [group_of("track:0", "storm"), group_of("track:1", "storm", "rain")]

    async def watch(app: App) -> list[int]:
        known = []
        for groups in (world.groups or [], [group_of("track:0", "storm"), group_of("track:1", "rain")]):
            app.serve(groups)
            await app.turn()
            known.append(len(app.knowledge.rules))
        await world.settled(app)
        return [*known, len(app.knowledge.rules)]

    assert world.use(watch) == [3, 3, 2], "for a minute it is matched as it was"


def test_a_restart_changes_nothing(world: AppWorld) -> None:
    world.serve(track=["storm", "flood"], follow=[str(number) for number in range(100, 140)])
    world.brought()
    asked = world.asked()
    world.brought()
    assert world.asked() == [*asked, "rules_list 200"]


class Killed(Exception):
    """Stands for kill -9."""


class DyingExchange(Exchange):
    """Dies when X has carried out a change, before anybody hears of it."""

    async def ask(self, ask: Ask, authorization: str, timeout_s: float = TIMEOUT_S) -> Reply:
        reply = await super().ask(ask, authorization, timeout_s)
        if ask.method == "POST":
            raise Killed
        return reply


def test_knowledge_that_cannot_be_read_is_lost_once_and_not_at_every_start(
    world: AppWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.serve(track=["storm"])
    world.brought()
    with sqlite3.connect(world.state) as database:
        database.execute("UPDATE app_pieces SET piece = '{'")
    database.close()
    for lost in (1, 0):
        caplog.clear()
        world.brought()
        assert caplog.messages.count("facts on an app are lost") == lost


def test_a_budget_that_cannot_be_read_takes_nothing_else_with_it(world: AppWorld) -> None:
    world.serve(track=["storm"])
    world.brought()
    with sqlite3.connect(world.state) as database:
        database.execute("UPDATE apps SET dump = '{\"used\": 7}' WHERE what = 'budget'")
    database.close()

    async def watch(app: App) -> int:
        return len(app.filtering.standing.taken)

    assert world.use(watch) == 1


def test_masters_killed_after_each_request_of_a_sync_leave_nothing_twice(world: AppWorld) -> None:
    world.serve(track=[f"storm {number}" for number in range(250)], follow=[str(n) for n in range(1, 60)])
    world.brought()
    world.serve(track=[f"flood {number}" for number in range(250)], follow=[str(n) for n in range(40, 99)])
    before = len(world.asked("rules_change"))
    killed = 0
    while killed < 20:
        try:
            world.use(world.settled, exchange=DyingExchange)
        except Killed:
            killed += 1
        else:
            break
    assert len(world.asked("rules_change")) - before == killed
    assert 6 <= killed <= 7, "three batches of new filters, and the old ones in as many"
    wanted = world.use(lambda app: _texts(world, app))
    assert world.values == wanted


async def _texts(world: AppWorld, app: App) -> list[str]:
    await world.settled(app)
    return sorted(app.composed.composition.by_text)


def test_while_x_is_away_it_is_asked_no_more_than_the_waits_allow(world: AppWorld) -> None:
    """A turn that can do nothing says when it can do more, also when a look is due."""
    world.serve(track=["storm"])

    async def watch(app: App) -> list[float]:
        await world.settled(app)
        world.x.fault("status", endpoint="rules_list", status=503)
        world.clock.pass_to(world.clock().mono + world.settings.look_s)
        waits = []
        for _ in range(4):
            due = await app.turn()
            waits.append(due - world.clock().mono)
            world.clock.pass_to(due)
        return waits

    assert [round(wait) for wait in world.use(watch)] == [5, 10, 20, 40]


# ---- rules that X does not take


def test_what_x_refuses_goes_back_to_its_rule_and_the_rest_goes_in(
    start: Callable[..., AppWorld], caplog: pytest.LogCaptureFixture
) -> None:
    for batches in ("part", "whole"):
        world = start(batches=batches)
        world.state = world.state.with_name(f"{batches}.db")
        world.serve(track=["the", *[f"storm {number}" for number in range(48)], "and the"])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            app = world.brought()
        refused = {one.key: one.reason for one in app.composed.refused}
        assert list(refused) == ["traptor-track:0:0", "traptor-track:0:49"]
        assert all("stop word" in reason for reason in refused.values())
        assert "stop word" in (app.without_filter.get("traptor-track:0:49") or "")
        assert app.without_filter.get("traptor-track:0:1") is None
        assert len(world.values) == 48
        lines = [record.fields["key"] for record in caplog.records if record.getMessage() == "rule rejected"]
        assert sorted(lines) == ["traptor-track:0:0", "traptor-track:0:49"]
        assert kind(app) is None


def test_a_passing_refusal_of_all_changes_condemns_few_values_and_not_for_long(world: AppWorld) -> None:
    """Each value was refused on its own, one request after the other, for an hour."""
    world.x.fault("status", endpoint="rules_change", status=400)
    world.serve(track=[f"storm {number}" for number in range(40)])

    async def watch(app: App) -> None:
        await app.turn()
        assert isinstance(app.filtering.trouble, RequestRefused)
        assert len(app.composed.refused) == 3
        assert len(world.asked("rules_change")) <= 10
        world.x.clear_faults()
        world.clock.added_s += 901.0
        await world.settled(app)
        assert len(world.values) == 40

    world.use(watch)


def test_many_bad_values_in_a_row_keep_the_others_out_for_a_while_only(world: AppWorld) -> None:
    """A value that made X refuse the request stands no longer before those that were not tried."""
    world.serve(track=[f"{'bad' if number < 5 else 'storm'} {number}" for number in range(12)])

    async def watch(app: App) -> None:
        for _ in range(3):
            await app.turn()
            world.clock.added_s += 901.0
        assert world.values == sorted(f"storm {number}" for number in range(5, 12))

    world.use(watch, exchange=FaultFindingExchange)


class FaultFindingExchange(Exchange):
    """Has X refuse a request with a bad value as a whole, in a form that no document gives."""

    async def ask(self, ask: Ask, authorization: str, timeout_s: float = TIMEOUT_S) -> Reply:
        if "bad" in str(ask.body):
            return Reply(400, Quota(), b'{"title": "Bad Request", "status": 400}')
        return await super().ask(ask, authorization, timeout_s)


def test_a_refused_clause_does_not_keep_others_of_its_filter_out(start: Callable[..., AppWorld]) -> None:
    world = start(rules=22)
    world.settings = AppSettings(AppLimits("default", filters=22))
    world.serve(track=[*[f"storm {number}" for number in range(40)], "the"])
    app = world.brought()
    assert [one.key for one in app.composed.refused] == ["traptor-track:0:40"]
    assert len(keys(app)) == 40
    assert not app.composed.waiting


def test_an_app_without_a_valid_filter_is_never_connected(world: AppWorld) -> None:
    world.serve(track=["the"])
    app = world.brought()
    assert kind(app) is HoldKind.NO_FILTERS


def test_what_x_refused_can_be_read_beside_the_supervisor(world: AppWorld) -> None:
    assert kept_standing(world.state) == {}
    world.serve(track=["storm", "the"])
    world.brought()
    [pieces] = kept_standing(world.state).values()
    assert list(load_standing(pieces, 0.0, world.clock().wall).refused) == ["the"]


def test_an_app_without_rules_says_so(world: AppWorld) -> None:
    world.serve(track=[])
    hold = world.brought().hold()
    assert hold is not None
    assert (hold.kind, hold.text) == (HoldKind.NO_FILTERS, "it has no rules")


def test_an_app_whose_first_rules_are_on_their_way_does_not_say_that_they_have_no_filter(
    world: AppWorld,
) -> None:
    """The ledger booked a gap, and the log a warning, as if X had refused them."""
    world.serve(track=[])

    async def watch(app: App) -> HoldKind | None:
        await world.settled(app)
        app.serve([group_of("track:0", "storm")])
        before = kind(app)
        await world.settled(app)
        assert kind(app) is None
        return before

    assert world.use(watch) is HoldKind.SYNCING


def test_what_finds_no_room_waits_by_rule(start: Callable[..., AppWorld]) -> None:
    world = start(rules=20)
    world.settings = AppSettings(AppLimits("default", filters=20, length=30))
    world.serve(track=[f"storm number {number}" for number in range(20)])
    app = world.brought()
    assert len(world.values) == 10
    assert len(app.composed.waiting) == 10
    assert "full" in app.composed.waiting[0].reason
    assert app.without_filter[app.composed.waiting[0].key] == app.composed.waiting[0].reason
    assert len(keys(app)) == 10


def test_a_box_too_large_for_any_filter_is_rejected_and_waits_for_nothing(world: AppWorld) -> None:
    world.serve(locations=["0,37,2,39", "10.4,59.8,10.6,60"])
    app = world.brought()
    assert not app.composed.waiting
    [refused] = app.composed.refused
    assert refused.key == "traptor-locations:0:0"
    assert "88 tiles of 4298 characters" in refused.reason
    assert app.without_filter[refused.key] == refused.reason
    assert len(keys(app)) == 1


def test_the_whole_world_is_rejected_by_its_number_of_tiles_and_the_other_boxes_are_collected(
    world: AppWorld,
) -> None:
    world.serve(locations=["-180,-90,180,90", "10.4,59.8,10.6,60"])
    app = world.brought()
    [refused] = app.composed.refused
    assert refused.key == "traptor-locations:0:0"
    assert refused.reason.startswith("the box takes about 1,300,000 tiles, and no filter has room for more")
    assert app.without_filter[refused.key] == refused.reason
    assert app.without_filter == {refused.key: refused.reason}
    assert len(keys(app)) == 1


# ---- filters of others


def test_foreign_filters_hold_the_stream_and_are_named(world: AppWorld) -> None:
    put(world, "kittens", "puppies", "goslings", "foals")
    world.serve(track=["storm"])
    app = world.brought()
    hold = app.hold()
    assert hold is not None
    assert hold.kind is HoldKind.FOREIGN_FILTERS
    assert "'kittens', 'puppies', 'goslings' and 1 more" in hold.text
    assert world.values == ["foals", "goslings", "kittens", "puppies"], "nothing is changed"


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (ForeignFilters.LEAVE, ["kittens has:media", "puppies", "storm"]),
        (ForeignFilters.ADOPT, ["kittens has:media", "storm"]),
        (ForeignFilters.REMOVE, ["storm"]),
    ],
)
def test_foreign_filters_are_left_adopted_or_removed(
    world: AppWorld, policy: ForeignFilters, left: list[str]
) -> None:
    put(world, "kittens has:media", "puppies")
    allows(world, policy)
    world.serve(track=["storm"])
    app = world.brought()
    assert world.values == left
    assert kind(app) is None


@pytest.mark.parametrize("policy", [ForeignFilters.ADOPT, ForeignFilters.REMOVE])
def test_filters_of_others_that_are_deleted_stand_in_the_log_each_with_id_value_and_tag(
    world: AppWorld, caplog: pytest.LogCaptureFixture, policy: ForeignFilters
) -> None:
    values = [f"kittens {number:02}" for number in range(23)]
    put(world, *values, tag="mine\x1b[2J")
    put(world, "old storm", tag="traptor/default/track:0/1")
    allows(world, policy)
    world.serve(track=["storm"])
    with caplog.at_level(logging.WARNING):
        world.brought()
    assert world.values == ["storm"]
    lines = [record for record in caplog.records if record.msg == "filters of others deleted"]
    assert [len(line.fields["deleted"]) for line in lines] == [10, 10, 3]  # type: ignore[attr-defined]
    deleted = [one for line in lines for one in line.fields["deleted"]]  # type: ignore[attr-defined]
    assert sorted(one["value"] for one in deleted) == values, "ours are not among them"
    assert all(one["id"] and one["tag"] == "mine\x1b[2J" for one in deleted)
    written = formatter("text", SecretMask()).format(lines[0])
    assert "\x1b" not in written
    assert "kittens 00" in written


def test_once_they_are_left_the_filters_of_ones_own_are_waited_for(world: AppWorld) -> None:
    put(world, "kittens")
    world.serve(track=["storm"])

    async def watch(app: App) -> list[HoldKind | None]:
        await world.settled(app)
        held = [kind(app)]
        app.change(world.key, AppSettings(AppLimits("default", ForeignFilters.LEAVE)))
        held.append(kind(app))
        await world.settled(app)
        return [*held, kind(app)]

    assert world.use(watch) == [HoldKind.FOREIGN_FILTERS, HoldKind.SYNCING, None]


def test_filters_of_others_take_room(start: Callable[..., AppWorld]) -> None:
    world = start(rules=30)
    put(world, *[f"kittens {number}" for number in range(5)])
    world.settings = AppSettings(AppLimits("default", ForeignFilters.LEAVE, filters=30))
    world.serve(track=[f"storm {number}" for number in range(20)])
    app = world.brought()
    assert len(app.composed.composition.filters) == 15, "of 25, ten stay free"
    assert len(keys(app)) == 20


# ---- X does not answer

UNANSWERED = [
    ({"status": 503}, HoldKind.X_AWAY),
    ({"status": 429, "problem": "rate-limit-exceeded"}, HoldKind.RATE_LIMITED),
    ({"status": 402, "problem": "credits"}, HoldKind.OUT_OF_CREDIT),
]


@pytest.mark.parametrize(("answer", "expected"), [*UNANSWERED, ({"status": 400}, HoldKind.SYNCING)])
def test_it_is_told_that_x_does_not_tell_its_filters(
    world: AppWorld, caplog: pytest.LogCaptureFixture, answer: dict[str, Any], expected: HoldKind
) -> None:
    """A gap of hours for it was booked as part of the start, and the log said that a stream went on."""
    world.x.fault("status", endpoint="rules_list", **answer)
    world.serve(track=["storm"])

    async def watch(app: App) -> Hold | None:
        await app.turn()
        return app.hold()

    hold = world.use(watch)
    assert hold is not None
    assert (hold.kind, str(answer["status"]) in hold.text) == (expected, True)
    assert hold.until is not None
    assert hold.until > world.clock().wall
    [told] = [record for record in caplog.records if record.msg == "filters cannot be changed"]
    assert "no stream opens" in told.__dict__["fields"]["effect"]


def test_refused_first_filters_are_no_trouble_of_the_network(world: AppWorld) -> None:
    """The ledger booked the gap as one of the network, and the advice was to look there."""
    world.x.fault("status", endpoint="rules_change", status=404)
    world.serve(track=["storm"])

    async def watch(app: App) -> Hold | None:
        await app.turn()
        return app.hold()

    hold = world.use(watch)
    assert hold is not None
    assert (hold.kind, "404" in hold.text) == (HoldKind.NO_FILTERS, True)


def test_a_stream_that_is_open_is_told_to_go_on_while_filters_cannot_be_changed(
    world: AppWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.serve(track=["storm"])

    async def watch(app: App) -> None:
        await world.settled(app)
        world.x.fault("status", endpoint="rules_change", status=503)
        app.serve([group_of("track:0", "storm", "flood")])
        await app.turn()
        assert kind(app) is None

    world.use(watch)
    [told] = [record for record in caplog.records if record.msg == "filters cannot be changed"]
    assert "goes on" in told.__dict__["fields"]["effect"]


@pytest.mark.parametrize(("answer", "expected"), [*UNANSWERED, ({"status": 400}, HoldKind.NO_BEARER)])
def test_it_is_told_that_x_gives_no_bearer_token(
    start: Callable[..., AppWorld], answer: dict[str, Any], expected: HoldKind
) -> None:
    world = start(bearers={})
    world.key = ApiKey("old", "ck", "cs", "at", "ats")
    world.x.fault("status", endpoint="token", **answer)

    async def watch(app: App) -> list[HoldKind | None]:
        before = kind(app)
        await app.turn()
        return [before, kind(app)]

    assert world.use(watch) == [HoldKind.NO_BEARER, expected]


def test_another_program_s_filters_and_vanished_ones_are_told(
    world: AppWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.serve(track=["storm"])

    async def watch(app: App) -> dict[str, object]:
        await world.settled(app)
        world.x.forget_filters()
        await app.client.add([NewFilter("flood", "traptor/default/track:7/1")])
        app.doubt()
        await world.settled(app)
        return overview(app, Expand.NONE, world.clock())["filters"]

    with caplog.at_level("WARNING"):
        seen = world.use(watch)
    assert world.values == ["flood", "storm"]
    assert (seen["strange"], seen["strange_first"]) == (1, ["flood"])
    # Not every line is ours: asyncio tells of what the collector finds of earlier tests.
    said = {record.getMessage(): getattr(record, "fields", {}) for record in caplog.records}
    assert said["filters vanished at X"] == {"key": "one", "filters": 1, "first": ["storm"]}
    assert said["another program changes the app's filters"]["first"] == ["flood"]


# ---- the bearer token


def test_a_key_of_v11_fetches_its_bearer_token(world: AppWorld) -> None:
    world.key = ApiKey("old", "ck", "cs", "at", "ats")
    world.serve(track=["storm"])
    put_in = world.use(world.settled)
    # The sandbox knows only the given token; the account of this key has none.
    assert kind(put_in) is HoldKind.BEARER_REFUSED
    assert world.asked("token", "rules_list") == ["token 403"]


def test_a_fetched_token_is_fetched_anew_when_it_is_refused(start: Callable[..., AppWorld]) -> None:
    world = start(bearers={})
    world.key = ApiKey("old", "ck", "cs", "at", "ats")
    world.serve(track=["storm"])

    async def watch(app: App) -> None:
        await world.settled(app)
        assert kind(app) is None
        first = app.bearer.token
        assert world.secrets == [first]
        world.x.fault("status", endpoint="rules_list", problem="unauthorized", times=1)
        app.doubt()
        await app.turn()
        assert world.asked("token") == ["token 200"]
        await app.turn()
        assert world.asked("token") == ["token 200"] * 2

    world.use(watch)


class RevokingExchange(Exchange):
    """Gives another token each time; the first one may be revoked."""

    given = 0
    is_revoked = False

    async def ask(self, ask: Ask, authorization: str, timeout_s: float = TIMEOUT_S) -> Reply:
        if ask.path == "/oauth2/token":
            self.given += 1
            token = json.dumps({"token_type": "bearer", "access_token": f"fetched-{self.given}"})
            return Reply(200, Quota(), token.encode())
        if self.is_revoked and authorization == "Bearer fetched-1":
            return Reply(401, Quota(), b'{"title": "Unauthorized", "status": 401}')
        return await super().ask(ask, "Bearer t-one-secret", timeout_s)


def test_a_token_fetched_for_a_revoked_one_is_used_at_once(world: AppWorld) -> None:
    """It was taken for refused untested: the sync rested, and told of the refusal of the old one again."""
    world.key = ApiKey("old", "ck", "cs", "at", "ats")
    world.serve(track=["storm"])

    async def watch(app: App) -> None:
        await world.settled(app)
        assert isinstance(app.exchange, RevokingExchange)
        app.exchange.is_revoked = True
        app.doubt()
        await app.turn()
        assert (app.token, kind(app)) == ("", HoldKind.BEARER_REFUSED)
        asked = world.asked("rules_list")
        await app.turn()
        assert (app.token, kind(app)) == ("fetched-2", None)
        assert world.asked("rules_list") == [*asked, "rules_list 200"]

    world.use(watch, exchange=RevokingExchange)


def test_a_given_token_that_is_refused_holds_the_stream_until_it_changes(world: AppWorld) -> None:
    world.serve(track=["storm"])
    wrong = dataclasses.replace(world.key, bearer_token="wrong-secret-token")

    async def watch(app: App) -> None:
        app.change(wrong, world.settings)
        await app.turn()
        assert kind(app) is HoldKind.BEARER_REFUSED
        app.change(world.key, world.settings)
        await app.turn()
        assert kind(app) is None

    world.use(watch)


# ---- money


WORKER = "v2:one#1"


def kept_by(world: AppWorld, generation: int) -> ReadsFile:
    """Return the file of a worker."""
    return ReadsFile(world.state.parent, "v2:one", generation)


def capped_at(posts: int) -> AppSettings:
    return AppSettings(AppLimits("default"), Terms(caps=Caps(daily_posts=posts)))


def test_a_cap_holds_the_stream_until_it_is_raised(world: AppWorld) -> None:
    world.settings = capped_at(1_000)
    world.serve(track=["storm"])

    async def watch(app: App) -> None:
        await world.settled(app)
        app.read(WORKER, Reads(posts=999))
        assert kind(app) is None
        changes = world.changes
        app.read(WORKER, Reads(posts=1_100))
        assert world.changes == changes + 1
        hold = app.hold()
        assert hold is not None
        assert hold.closes
        assert "daily_posts is reached: 1,100 of 1,000" in hold.text
        app.change(world.key, capped_at(2_000))
        assert kind(app) is None

    world.use(watch)


def test_a_cap_that_is_reached_holds_after_kill_9_too(world: AppWorld) -> None:
    world.settings = capped_at(1_000)
    world.serve(track=["storm"])

    async def spend(app: App) -> None:
        app.read(WORKER, Reads(posts=1_000))

    world.use(spend)
    assert kind(world.brought()) is HoldKind.CAPPED


async def posts_today(app: App) -> int:
    return app.spending.account.today.posts


def test_what_a_killed_master_did_not_hear_of_is_counted_by_the_next_one_once(world: AppWorld) -> None:
    file = kept_by(world, 1)
    other = kept_by(world, 2)  # it told nothing at all

    async def spend(app: App) -> None:
        app.read(WORKER, Reads(posts=200))
        file.write(ReadCounts(posts=230, included_posts=20))
        other.write(ReadCounts(posts=7))

    world.use(spend)
    assert world.use(posts_today) == 237
    assert world.use(posts_today) == 237, "only once"
    assert not any((world.state.parent / "reads" / "v2:one").iterdir())


def test_a_master_killed_while_it_counts_what_is_left_counts_nothing_twice(
    world: AppWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_by(world, 1).write(ReadCounts(posts=230))
    with monkeypatch.context() as patched:
        patched.setattr(UntoldReads, "remove", lambda *_: None)
        assert world.use(posts_today) == 230
    assert world.use(posts_today) == 230
    assert world.use(posts_today) == 230


def test_what_a_killed_worker_had_not_told_is_counted_when_it_is_gone(world: AppWorld) -> None:
    file = kept_by(world, 1)

    async def kill(app: App) -> tuple[int, int]:
        app.read(WORKER, Reads(posts=200))
        file.write(ReadCounts(posts=230))
        app.ended(WORKER)
        app.ended("v2:one#2")  # it read nothing
        app.read("v2:one#3", Reads(posts=5))
        return await posts_today(app), len(list((world.state.parent / "reads" / "v2:one").iterdir()))

    assert world.use(kill) == (235, 0)
    assert world.use(posts_today) == 235


def test_what_was_read_yesterday_belongs_to_yesterday(world: AppWorld) -> None:
    async def spend(app: App) -> None:
        app.read(WORKER, Reads(posts=200))

    world.use(spend)
    kept_by(world, 1).write(ReadCounts(posts=230))
    world.clock.added_s = 2 * 86_400

    async def posts(app: App) -> tuple[int, int]:
        account = app.spending.account
        return account.today.posts, account.month.posts

    today, month = world.use(posts)
    assert today == 0
    assert month in (230, 0), "0: another month has begun"


def test_reads_of_other_apps_are_left_to_them(world: AppWorld) -> None:
    ReadsFile(world.state.parent, "v2:one-more", 1).write(ReadCounts(posts=3))
    ReadsFile(world.state.parent, "v2:one.2", 1).write(ReadCounts(posts=5))
    assert world.use(posts_today) == 5, "an app may have a second connection"


@pytest.mark.parametrize("problem", ["credits", "credits-depleted", "usage-capped", "usage-capped-daily"])
def test_an_app_out_of_credit_is_not_asked_for_half_an_hour(world: AppWorld, problem: str) -> None:
    world.serve(track=["storm"])
    world.x.fault("status", endpoint="rules_change", problem=problem, times=1)

    async def watch(app: App) -> None:
        await app.turn()
        hold = app.hold()
        assert hold is not None
        assert hold.kind is HoldKind.OUT_OF_CREDIT
        assert hold.until is not None
        # A cap of the day may end before, at the end of the day.
        assert 0 < hold.until - world.clock().wall <= 1_800

    world.use(watch)
    world.clock.added_s += 1_800
    assert kind(world.use(world.settled)) is None, "after that it is asked again"


def test_the_wait_for_credit_is_the_same_for_filters_and_does_not_grow(world: AppWorld) -> None:
    """A sync rested for half an hour, and each turn of it began the wait anew."""
    world.settings = dataclasses.replace(world.settings, credit_retry_s=60.0)
    world.serve(track=["storm"])
    world.x.fault("status", endpoint="rules_change", problem="credits", times=1)

    async def watch(app: App) -> None:
        first = world.clock().wall
        due = await app.turn()
        assert due - world.clock().mono <= 60.0
        world.clock.added_s += 30.0
        await app.turn()
        hold = app.hold()
        assert hold is not None
        assert hold.until is not None
        assert hold.until < first + 75.0, "it was not refused again"
        world.clock.pass_to(due + 1.0)
        await app.turn()
        assert kind(app) is None
        assert world.asked("rules_change") == ["rules_change 402", "rules_change 201"]

    world.use(watch)


def test_filters_are_asked_for_again_when_the_day_of_a_cap_ends(world: AppWorld) -> None:
    now = world.clock().wall
    world.clock.added_s = 86_400 - now % 86_400 - 600  # ten minutes before the end of a UTC day
    world.serve(track=["storm"])
    world.x.fault("status", endpoint="rules_change", problem="usage-capped-daily", times=1)

    async def watch(app: App) -> None:
        await app.turn()
        assert kind(app) is HoldKind.OUT_OF_CREDIT
        world.clock.added_s += 300.0
        due = await app.turn()
        assert due - world.clock().mono <= 300.0
        world.clock.added_s += 300.0
        await app.turn()
        assert kind(app) is None
        assert world.asked("rules_change") == ["rules_change 429", "rules_change 201"]

    world.use(watch)


def test_being_out_of_credit_outlives_the_master(world: AppWorld) -> None:
    async def refuse(app: App) -> None:
        app.out_of_credit("402")

    async def look(app: App) -> HoldKind | None:
        await app.turn()
        return kind(app)

    world.use(refuse)
    assert world.use(look) is HoldKind.OUT_OF_CREDIT


def test_x_s_own_count_is_asked_once_an_hour(world: AppWorld) -> None:
    world.serve(track=["storm"])

    async def watch(app: App) -> None:
        await world.settled(app)
        assert 3_590 < await app.look_at_usage() <= 3_600
        await app.look_at_usage()
        assert app.usage.last is not None
        assert app.usage.last.project_usage == 0
        world.clock.pass_to(world.clock().mono + 3_600)
        await app.look_at_usage()

    world.use(watch)
    assert world.asked("usage") == ["usage 200"] * 2


# ---- what a worker is told


def test_a_changed_rule_is_known_in_both_forms_until_its_old_filter_is_forgotten(world: AppWorld) -> None:
    world.serve(track=["storm", "flood"])

    async def watch(app: App) -> None:
        await world.settled(app)
        world.serve(track=["storm", "hail"])
        assert world.groups is not None
        app.serve(world.groups)
        await app.turn()
        assert sorted(one.values for one in app.knowledge.meanings) == [("flood",), ("hail",), ("storm",)]
        assert [(rule.rule_id, rule.values) for rule in app.knowledge.rules] == [
            ("0", ("storm",)),
            ("1", ("hail",)),
            ("1", ("flood",)),
        ]
        await world.settled(app)
        assert sorted(one.values for one in app.knowledge.meanings) == [("hail",), ("storm",)]
        assert [rule.values for rule in app.knowledge.rules] == [("storm",), ("hail",)]

    world.use(watch)
    assert world.values == ["hail", "storm"]


# ---- secrets


def test_no_token_is_in_any_log_line(world: AppWorld, caplog: pytest.LogCaptureFixture) -> None:
    world.serve(track=["storm", "the"])
    world.x.fault("status", endpoint="rules_change", problem="unauthorized", times=1)
    with caplog.at_level(logging.DEBUG):
        world.brought()
    assert "secret" not in "".join(f"{record.__dict__}" for record in caplog.records)


# ---- what is shown


def test_an_app_as_it_is_shown(start: Callable[..., AppWorld]) -> None:
    world = start()
    put(world, "kittens")
    limits = AppLimits("default", ForeignFilters.LEAVE)
    world.settings = AppSettings(limits, Terms(caps=Caps(daily_dollars=10.0)))
    world.serve(track=["storm", "the", "#a-b"], follow=["12", "13"])

    async def shown(app: App) -> dict[str, Any]:
        await world.settled(app)
        await app.look_at_usage()
        app.read(WORKER, Reads(posts=1_000, included_users=100))
        return overview(app, Expand.USERS, world.clock())

    seen = world.use(shown)
    assert json.loads(orjson.dumps(seen)) == seen
    assert (seen["key"], seen["hold"], seen["rules"], seen["rules_in_effect"]) == ("one", None, 5, 3)
    assert (seen["pending"], seen["rejected_by_type"]) == (0, {"track": 2})
    assert seen["mostly_rejected"] == ["track:0"]
    assert [one["key"] for one in seen["rejected_first"]] == ["traptor-track:0:2", "traptor-track:0:1"]
    filters = seen["filters"]
    assert (filters["single"], filters["packed"], filters["standing"]) == (1, 1, 3)
    assert (filters["in_effect"], filters["foreign_first"]) == (3, ["kittens"])
    assert seen["today"]["dollars"] == 6.0
    assert seen["caps"][0]["percent"] == 60.0
    assert seen["dollars_per_1000_posts"] == {"plain": 15.0, "with_another": 25.0, "observed": 6.0}
    assert seen["usage"]["posts"] == 0
    assert "secret" not in json.dumps(seen)


def test_the_operator_may_have_an_app_without_credit_asked_at_once(world: AppWorld) -> None:
    world.serve(track=["storm"])

    async def release(app: App) -> list[HoldKind | None]:
        await world.settled(app)
        app.out_of_credit("402")
        held = kind(app)
        app.retry()
        await world.settled(app)
        return [held, kind(app)]

    assert world.use(release) == [HoldKind.OUT_OF_CREDIT, None]
