"""The filling of gaps step by step: an app and a worker on paper, a clock passed in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from support.appworld import group_of
from support.paperapp import PaperApp

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings, load_settings
from traptor.common.errors import TraptorError
from traptor.common.fills import FillEnd, FillMethod
from traptor.common.messages import BACKFILLED, Connect, PieceFetched
from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.apps.wanted.translated import Translated, Wording
from traptor.supervisor.fills.fills import Fills
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.gaps.interval import Instant, IntervalKind, instant
from traptor.supervisor.keys.budget import Purpose
from traptor.supervisor.keys.states import ConnectVerdict
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.ledger.question import Period
from traptor.supervisor.ledger.records import Entry, StoredFills
from traptor.supervisor.money.account import Account
from traptor.supervisor.money.caps import Caps

T = 1_790_000_000.0
APP = "v2:app"
ALLOWED = ConnectVerdict(True, None, "")
WORDS = [f"word{number:03}" for number in range(120)]  # two queries


def a_worker(connection: str, generation: int) -> Any:
    birth = SimpleNamespace(connection=connection, generation=generation)
    name = f"{connection}#{generation}"
    return SimpleNamespace(birth=birth, name=name, streams=True, streaming_since=0.0)


class PaperFacts(dict[tuple[str, str], bytes]):
    """What state_dir keeps of apps."""

    def save_app(self, key_id: str, what: str, dump: dict[str, Any]) -> None:
        self[key_id, what] = orjson.dumps(dump)

    def load_app(self, key_id: str, what: str) -> Any:
        return orjson.loads(self[key_id, what]) if (key_id, what) in self else None


@dataclass
class World:
    """One connection with a gap of a minute that ended a minute ago, and whatever a test changes of it."""

    settings: Settings
    now: float = 120.0  # since the gap began
    stored: StoredFills = field(default_factory=StoredFills)
    groups: list[Translated] | None = field(default_factory=lambda: [group_of("track:0", *WORDS)])
    carried: frozenset[str] | None = None  # None: all rules
    method: FillMethod = FillMethod.SEARCH
    may: ConnectVerdict = ALLOWED  # to connect the key
    spent: list[float] = field(default_factory=list)  # its connects
    asked: list[Any] = field(default_factory=list)
    facts: PaperFacts = field(default_factory=PaperFacts)
    slots: list[str] = field(default_factory=list)  # what they were told
    writes: int = 0
    while_reading: Callable[[], object] = lambda: None  # happens while the ledger is read

    def __post_init__(self) -> None:
        self.begin(1)
        self.book.take(Entry(APP, "gap", "crash", T, T + 60, 60, 1))

    def begin(self, generation: int) -> None:
        """A master starts, and goes on with what the last one wrote."""
        self.book = FillBook(self.stored, lambda _gap: self.method)
        self.app = PaperApp()
        self.app.spending = SimpleNamespace(  # type: ignore[attr-defined]
            terms=Terms(), account=Account.opened(T)
        )
        self.app.filtering = SimpleNamespace(groups=self.groups)  # type: ignore[attr-defined]
        self.app.settings = SimpleNamespace(credit_retry_s=1_800.0)  # type: ignore[attr-defined]
        self.app.key = ApiKey("app", bearer_token="secret")  # type: ignore[attr-defined]
        self.c = SimpleNamespace(name=APP, app="key-id", serving=None, streams=False, other=None)
        self.serve(generation)
        self.context = SimpleNamespace(
            settings=self.settings,
            connections={APP: self.c},
            stopping=False,
            pool=SimpleNamespace(
                may_connect=lambda _key, purpose, _now: self.may if purpose is Purpose.FILL else None,
                spend=lambda _key, now: self.spent.append(now),
            ),
            save_keys=lambda _now: None,
            store=self.facts,
            slots=SimpleNamespace(
                connecting=lambda _key: self.slots.append("connecting"),
                taken=lambda _key: self.slots.append("taken"),
            ),
            fleet=SimpleNamespace(fetch=lambda _g, piece: self.asked.append(piece)),
        )
        apps: Any = SimpleNamespace(get=lambda _key_id: self.app)
        context: Any = self.context
        self.fills = Fills(
            context, apps, self.book, self._carried, self._wrote, lambda _name: ([2.0], None), self.clock
        )

    def serve(self, generation: int) -> None:
        self.c.serving, self.c.streams = a_worker(APP, generation), True

    def lose_the_stream(self) -> None:
        self.c.serving.streams = self.c.streams = False

    def clock(self) -> Instant:
        return Instant(T + self.now, self.now)

    async def _carried(self, _name: str, period: Period) -> frozenset[str]:
        assert (period.since, period.until) == (T - 1, self.book.all()[-1].to_unix)
        self.while_reading()
        every = frozenset(rule.key for group in self.groups or () for rule in group.rules)
        return every if self.carried is None else self.carried

    def _wrote(self) -> None:
        self.writes += 1
        news = self.book.news()
        self.book.written(news)
        fills = {fill.id: fill for fill in (*self.stored.open, *news.fills)}
        costs = {(one.connection, one.day): one for one in (*self.stored.costs, *news.costs)}
        self.stored = StoredFills(
            max(fills), [one for one in fills.values() if one.is_open], [*costs.values()],
            {**self.stored.plans, **dict(news.plans)},
        )  # fmt: skip

    def turn(self) -> Any:
        """One step; the piece that it asked for, if any."""
        before = len(self.asked)
        asyncio.run(self.fills.turn(self.c, self.app))  # type: ignore[arg-type]
        return self.asked[-1] if len(self.asked) > before else None

    def answer(self, end: FillEnd = FillEnd.DONE, **members: Any) -> Fill:
        """The worker answers the last piece; the fill after that."""
        self.fills.fetched(self.c.serving, PieceFetched(number=self.asked[-1].number, end=end, **members))
        return self.book.all()[-1]

    def waits_for(self) -> str | None:
        [one] = self.fills.status()["connections"]
        return one["waits_for"]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., World]:
    def made(**twitter: object) -> World:
        options = {"fill_gaps": "search", **twitter}
        method = FillMethod.RECOVERY if options["fill_gaps"] == "recovery" else FillMethod.SEARCH
        ini = tmp_path / "traptor.ini"
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        ini.write_text(
            f"[traptor]\napi = v2\noutput = jsonl:-\n[supervisor]\nrun_dir = {tmp_path}\n"
            f"state_dir = {tmp_path}\n[twitter]\n{lines}[key:app]\nbearer_token = t\n"
        )
        ini.chmod(0o600)
        return World(load_settings(ini), method=method)

    return made


def test_pages_and_queries_follow_each_other_a_second_apart_until_the_gap_is_filled(
    make: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world = make()
    first = world.turn()
    assert first is not None
    assert (first.token, first.max_results) == ("", 500)
    assert (first.start_time, first.end_time) == ("2026-09-21T14:13:10Z", "2026-09-21T14:14:21Z")
    assert first.connect.bearer_token == "bearer-of-the-app"
    assert world.turn() is None, "one piece at a time"
    world.answer(token="two", posts=500, new=490, reads={"posts": 480})
    assert world.turn() is None, "a second apart"
    world.now += 1
    second = world.turn()
    assert second is not None
    assert (second.token, second.query) == ("two", first.query)
    world.answer(posts=3, new=3, reads={"posts": 3, "included_posts": 2, "included_users": 1})
    world.now += 1
    third = world.turn()
    assert third is not None
    assert third.token == ""
    assert third.query != first.query
    fill = world.answer(posts=0)
    assert (fill.state, fill.steps, fill.posts) == ("done", 2, 493)
    assert fill.dollars == pytest.approx(485 * 0.005 + 0.01)
    assert world.book.spent(APP, T) == fill.dollars
    world.now += 1
    assert world.turn() is None
    said = [record.message for record in caplog.records]
    assert said == ["a gap is being filled", "a gap is filled"]
    about = caplog.records[0].__dict__["fields"]
    assert (about["queries"], about["posts_about"], about["dollars_about"]) == (2, 120, 0.6)
    assert about["at_most_a_day"] == 10.0


def test_a_gap_is_left_alone_until_its_posts_can_be_found(make: Callable[..., World]) -> None:
    world = make()
    world.now = 80
    assert world.turn() is None
    world.now = 90
    assert world.turn() is not None


@pytest.mark.parametrize("after", ["nothing", "an answer", "an answer of the old worker"])
def test_a_killed_worker_costs_one_piece(make: Callable[..., World], after: str) -> None:
    world = make()
    first = world.turn()
    old = world.c.serving
    if after == "an answer":
        world.answer(token="two", new=1)
    world.now += 5
    world.serve(2)
    if after == "an answer of the old worker":
        world.turn()
        world.fills.fetched(old, PieceFetched(number=world.asked[-1].number, end=FillEnd.DONE, token="x"))
        assert world.book.all()[-1].token == ""
        return
    again = world.turn()
    assert first is not None
    assert again is not None
    assert (again.query, again.token) == (first.query, "two" if after == "an answer" else "")
    assert again.number != first.number


def test_a_killed_master_goes_on_with_the_same_queries_whatever_became_of_the_rules(
    make: Callable[..., World],
) -> None:
    world = make()
    first = world.turn()
    world.answer(token="two", new=1, reads={"posts": 1})
    world.groups = [group_of("track:0", "something else")]
    world.begin(2)
    assert world.turn() is None, "X counts the searches of the killed one"
    world.now += 1
    again = world.turn()
    assert first is not None
    assert again is not None
    assert (again.query, again.meanings, again.token) == (first.query, first.meanings, "two")
    assert world.book.spent(APP, T) == 0.005


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda w: setattr(w.app, "held", Hold(HoldKind.CAPPED, "a cap is reached")), "a cap is reached"),
        (lambda w: w.lose_the_stream(), "its connection does not stream"),
        (lambda w: setattr(w.c, "serving", None), "its connection does not stream"),
        (lambda w: setattr(w.context, "stopping", True), "its connection does not stream"),
    ],
)  # fmt: skip
def test_nothing_is_asked_for_while_that_may_not_be(
    make: Callable[..., World], change: Callable[[World], None], why: str
) -> None:
    world = make()
    change(world)
    assert world.turn() is None
    assert world.waits_for() == why


def test_a_fill_waits_while_the_setting_is_off(make: Callable[..., World]) -> None:
    world = make(fill_gaps="no")
    assert world.turn() is None
    assert world.waits_for() == "fill_gaps is no"


def test_a_cap_is_never_passed_and_the_rest_follows_on_the_next_day(make: Callable[..., World]) -> None:
    world = make(fill_daily_dollars=1)
    first = world.turn()
    assert first is not None
    assert first.max_results == 200
    world.answer(token="two", posts=195, new=195, reads={"posts": 195})
    world.now += 1
    assert world.turn() is None
    assert world.waits_for() == "fill_daily_dollars is used up"
    world.now += 86_400
    again = world.turn()
    assert again is not None
    assert (again.token, again.max_results) == ("two", 200)


def test_the_other_caps_count_too(make: Callable[..., World]) -> None:
    world = make()
    world.app.spending.terms = Terms(caps=Caps(daily_posts=60))  # type: ignore[attr-defined]
    piece = world.turn()
    assert piece is not None
    assert piece.max_results == 60


def test_refusals_and_failures_have_their_consequences(
    make: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    world = make()
    world.turn()
    world.answer(FillEnd.HTTP, status=503)
    assert world.waits_for() == "X answered 503"
    world.now += 4.9
    assert world.turn() is None
    world.now += 0.2
    assert world.turn() is not None
    world.answer(FillEnd.HTTP, status=402, problem="credits-depleted")
    assert world.waits_for() == "X answered 402: credits-depleted"
    world.now += 1_799
    assert world.turn() is None, "before credit_retry is over"
    world.now += 1
    world.turn()
    world.answer(FillEnd.HTTP, status=401)
    assert world.app.heard == [], "its stream is open, and may open again"
    world.now += 1_000
    for _ in range(2):
        world.turn()
        world.answer(FillEnd.HTTP, status=400, detail="bad query")
        world.now += 1_000
    piece = world.turn()
    assert piece is not None
    assert piece.query == world.asked[-1].query
    fill = world.book.open(APP)[0]
    assert (fill.step, fill.refused) == (1, 1)
    world.answer(FillEnd.HTTP, status=403, problem="client-forbidden")
    assert world.book.open(APP) == []
    assert "a gap could not be filled" in [record.message for record in caplog.records]


def test_an_apps_other_connection_is_asked_while_the_first_has_no_stream(make: Callable[..., World]) -> None:
    world = make()
    asked: list[tuple[str, int]] = []
    world.context.fleet.fetch = lambda g, piece: (
        world.asked.append(piece), asked.append((g.birth.connection, g.birth.generation)),
    )  # fmt: skip
    second = SimpleNamespace(name=f"{APP}.2", app="key-id", serving=a_worker(f"{APP}.2", 1), streams=True)
    world.c.other = second
    world.context.connections[second.name] = second
    assert world.turn() is not None
    world.lose_the_stream()
    world.now += 1
    assert world.turn() is None, "its worker still answers"
    world.c.serving = None
    again = world.turn()
    assert again is not None, "the first one's worker answers no more, though both are in generation 1"
    assert asked == [(APP, 1), (f"{APP}.2", 1)]
    world.fills.fetched(second.serving, PieceFetched(number=again.number, end=FillEnd.HTTP, status=401))
    assert world.app.heard == [], "the app has an open stream"
    world.now += 1_000
    final = world.turn()
    world.serve(2)
    world.now += 1
    assert world.turn() is None, "one piece at a time, whichever of the two has it"
    world.fills.fetched(
        second.serving, PieceFetched(number=final.number, end=FillEnd.DONE, token="two", posts=9, new=9)
    )
    [fill] = world.book.open(APP)
    assert (fill.token, fill.posts) == ("two", 9)
    world.now += 1
    assert world.turn().token == "two"
    assert asked[-1] == (APP, 2), "its own worker first"


def test_what_an_app_without_a_stream_is_refused_is_told_to_it(make: Callable[..., World]) -> None:
    world = make()
    world.turn()
    world.lose_the_stream()
    world.answer(FillEnd.HTTP, status=401)
    assert world.app.heard == ["refused bearer-of-the-app: X answered 401"]
    other = make(fill_gaps="recovery")
    other.turn()
    other.answer(FillEnd.HTTP, status=402, problem="credits-depleted")
    assert other.app.heard == ["out of credit until None: X answered 402: credits-depleted"]


def test_a_gap_whose_rules_are_gone_or_cannot_be_searched_is_given_up(make: Callable[..., World]) -> None:
    world = make()
    world.carried = frozenset({"a rule that is gone"})
    assert world.turn() is None
    assert world.book.all()[-1].why == "none of the rules of that time can be searched now"
    other = make()
    other.groups = [group_of("track:0", "storm", wording=Wording(suffix="sample:10"))]
    other.begin(1)
    other.book.take(Entry(APP, "gap", "crash", T, T + 60, 60, 1))
    assert other.turn() is None
    assert other.book.all()[-1].why == "track:0: sample: cannot be searched"


def test_a_gap_in_which_no_rule_was_carried_lacks_nothing(make: Callable[..., World]) -> None:
    world = make()
    world.carried = frozenset()
    assert world.turn() is None
    fill = world.book.all()[-1]
    assert (fill.state, fill.why) == ("done", "no rule was carried then")


def test_a_gap_that_comes_while_the_ledger_is_read_is_filled_too(make: Callable[..., World]) -> None:
    world = make()
    world.while_reading = lambda: world.book.take(Entry(APP, "gap", "crash", T + 70, T + 80, 10, 1))
    assert world.turn() is None
    world.while_reading = lambda: None
    piece = world.turn()
    assert piece is not None
    assert piece.end_time == "2026-09-21T14:14:41Z"
    [fill] = world.book.all()
    assert (fill.state, fill.to_unix) == ("running", T + 80)


def test_a_gap_waits_while_the_ledger_cannot_tell_its_rules(make: Callable[..., World]) -> None:
    world = make()

    def fail() -> None:
        raise TraptorError("the disk is full")

    world.while_reading = fail
    assert world.turn() is None
    assert world.waits_for() == "the disk is full"
    assert world.book.open(APP)
    world.while_reading = lambda: None
    assert world.turn() is not None
    assert world.waits_for() is None


def test_a_query_whose_rules_are_all_gone_is_left_out_unless_it_has_begun(make: Callable[..., World]) -> None:
    world = make()
    first = world.turn()
    assert first is not None
    world.answer(token="two", new=1)
    left = [one for one in WORDS if f"{one} OR" not in first.query and not first.query.endswith(one)]
    assert left
    world.app.filtering.groups = [group_of("track:0", "something else")]  # type: ignore[attr-defined]
    world.now += 1
    second = world.turn()
    assert second is not None
    assert second.token == "two"
    world.answer()
    world.now += 1
    assert world.turn() is None
    assert world.book.all()[-1].state == "done"
    assert len(world.asked) == 2


def test_nothing_is_decided_before_the_rules_are_known(make: Callable[..., World]) -> None:
    world = make()
    world.app.filtering.groups = None  # type: ignore[attr-defined]
    assert world.turn() is None
    assert world.book.open(APP)


def test_recovery_jobs_follow_each_other_until_two_come_no_further(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery")
    first = world.turn()
    assert (first.start_time, first.end_time) == ("2026-09-21T14:13:10Z", "2026-09-21T14:14:21Z")
    assert first.most_posts == 2_000  # for $10
    assert world.spent == [120.0]
    for reached, starts in (("30.5", "14:13:40"), ("30.5", "14:13:50"), ("30.5", None)):
        fill = world.answer(token=f"{T + float(reached):.3f}", posts=9, new=3, reads={"posts": 3})
        assert world.turn() is None, "jobs are apart"
        world.now += 2
        again = world.turn()
        assert (again and again.start_time[11:19]) == starts
    assert (fill.state, fill.posts, fill.method) == ("done", 9, "recovery")


def test_a_killed_master_goes_on_with_a_recovery_where_it_was(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery")
    world.turn()
    world.answer(token=f"{T + 30.5:.3f}", new=3)
    world.turn()
    world.begin(2)
    assert world.turn().start_time == "2026-09-21T14:13:40Z"


def test_a_recovery_leaves_connects_to_the_stream(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery")
    world.may = ConnectVerdict(False, 180.0, "25 of 50 connects are used")
    assert world.turn() is None
    assert (world.waits_for(), world.spent) == ("25 of 50 connects are used", [])
    world.may = ALLOWED
    assert world.turn() is not None


def test_what_is_older_than_a_day_cannot_be_recovered(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery")
    world.now += 90_000
    assert world.turn() is None
    assert world.book.all()[-1].why == "it is older than the 24 hours that X recovers"


def test_a_gap_that_the_stream_brings_is_filled_when_the_worker_says_so(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery")
    world.c.serving.connect = Connect(key_id="k", key_name="app", backfill_minutes=5)
    world.c.serving.streaming_since = instant_now = instant(time.monotonic()).mono
    world.book.put(replace(world.book.all()[-1], from_unix=time.time() - 60, to_unix=time.time()))
    world.fills.connected(world.c.serving, instant_now)
    assert world.book.all()[-1].method == "backfill"
    assert world.turn() is None
    told = PieceFetched(number=BACKFILLED, end=FillEnd.DONE, posts=9, new=4, reads={"posts": 4})
    world.fills.fetched(world.c.serving, told)
    fill = world.book.all()[-1]
    assert (fill.state, fill.method, fill.posts, fill.dollars) == ("done", "backfill", 4, 0.02)


def test_no_stream_brings_the_past_once_the_cap_of_fills_is_used_up(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=1)
    now = instant(time.monotonic())
    world.c.gaps = SimpleNamespace(
        kind=IntervalKind.GAP, since=now, standing=SimpleNamespace(cause="network", generation=1)
    )
    assert world.fills.minutes(world.c, now.mono) == 1
    world.book.paid(APP, 0.99, world.clock().wall)
    assert world.fills.minutes(world.c, now.mono) == 0


def test_two_gaps_are_recovered_at_once_and_a_third_waits_for_either(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=1_000)
    world.book.take(Entry(APP, "gap", "crash", T + 200, T + 210, 10, 2))
    world.book.take(Entry(APP, "gap", "crash", T + 400, T + 410, 10, 3))
    world.now = 500
    first = world.turn()
    assert world.turn() is None, "some seconds apart"
    world.now += 2
    second = world.turn()
    assert [piece.start_time[11:19] for piece in (first, second)] == ["14:13:10", "14:16:30"]
    world.now += 5
    assert world.turn() is None, "two at a time"
    world.fills.fetched(
        world.c.serving, PieceFetched(number=second.number, end=FillEnd.DONE, new=7, reads={"posts": 7})
    )
    assert {one.from_unix: one.posts for one in world.book.all()} == {T: 0, T + 200: 7, T + 400: 0}
    world.now += 2
    third = world.turn()
    assert third.start_time[11:19] == "14:16:30", "once more, as nothing came"
    world.fills.fetched(world.c.serving, PieceFetched(number=third.number, end=FillEnd.DONE))
    world.now += 2
    assert world.turn().start_time[11:19] == "14:19:50"
    world.c.serving = None
    world.now += 5
    world.turn()
    world.serve(2)
    again = [world.turn()]
    world.now += 2
    again.append(world.turn())
    assert [piece.start_time[11:19] for piece in again] == ["14:13:10", "14:19:50"], "of a killed worker"


@pytest.mark.parametrize(
    ("dollars", "allotted"),
    [(1_000, [20_000, 20_000]), (10, [1_000, 1_000]), (0.15, [15, 15]), (0.08, [10, None]), (0.02, [None])],
)
def test_jobs_at_once_share_what_a_cap_leaves(
    make: Callable[..., World], dollars: float, allotted: list[int | None]
) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=dollars)
    world.book.take(Entry(APP, "gap", "crash", T + 200, T + 210, 10, 2))
    world.now = 500
    for most in allotted:
        piece = world.turn()
        assert (piece and piece.most_posts) == most
        world.now += 2
    waits = "fill_daily_dollars is used up" if allotted == [None] else None
    assert world.waits_for() == waits, "for the other job, not for money"


def test_jobs_that_a_dead_worker_holds_are_looked_for_and_living_ones_known(
    make: Callable[..., World],
) -> None:
    world = make(fill_gaps="recovery")
    key = world.app.key.key_id  # type: ignore[attr-defined]
    assert world.fills.jobs(key) == []
    world.turn()
    assert (world.fills.jobs(key), world.fills.jobs("another")) == ([T + 120], [])
    world.now += 1
    refused = {"status": 429, "problem": "TooManyConnections", "headers": {"x-rate-limit-remaining": "40"}}
    world.answer(FillEnd.HTTP, **refused)
    assert (world.slots, world.fills.jobs(key)) == (["connecting", "taken"], [])
    for _ in range(40):
        world.now += 1_000
        assert world.turn() is not None, "it is never given up"
        fill = world.answer(FillEnd.HTTP, **refused)
    assert fill.is_open


def test_a_job_begins_when_x_can_tell_it_from_the_stream_that_opened(make: Callable[..., World]) -> None:
    world = make(fill_gaps="recovery")
    world.c.serving.streaming_since = 116.0
    assert world.turn() is None
    world.now += 2
    assert world.turn() is not None


@pytest.mark.parametrize(("seconds", "pieces"), [(600, 1), (7_200, 2)])
def test_a_long_gap_is_recovered_in_two_halves_at_once(
    make: Callable[..., World], seconds: int, pieces: int
) -> None:
    world = make(fill_gaps="recovery", fill_daily_dollars=1_000)
    world.book.put(replace(world.book.all()[-1], to_unix=T + seconds))
    world.now = seconds + 500
    found = []
    for _ in range(4):
        found.append(world.turn())
        world.now += 2
    asked = [(piece.start_time[11:19], piece.end_time[11:19]) for piece in found if piece is not None]
    whole, halves = ("14:13:10", "14:23:21"), [("14:13:10", "15:13:21"), ("15:13:10", "16:13:21")]
    assert asked == ([whole] if pieces == 1 else halves)
    due = [piece for piece in found if piece is not None]
    for _ in range(2):  # nothing came: it is asked for once more
        for piece in due:
            world.fills.fetched(world.c.serving, PieceFetched(number=piece.number, end=FillEnd.DONE, new=3))
        world.now += 2
        due = [world.turn()]
        world.now += 2
        due += [world.turn()] * (pieces - 1)
    assert [(one.state, one.posts) for one in world.book.all()] == [("done", 6)] * pieces


def test_a_restart_does_not_begin_the_window_of_searches_anew(make: Callable[..., World]) -> None:
    world = make(fill_daily_dollars=1_000)
    for number in range(300):
        assert world.turn() is not None
        world.answer(token=str(number))
        world.now += 1
    assert world.turn() is None
    world.begin(2)
    world.now += 599
    assert world.turn() is None, "300 in 15 minutes"
    world.now += 1
    assert world.turn() is not None
