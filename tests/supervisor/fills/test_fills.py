"""Gaps are filled by searches step by step, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from support.appworld import group_of
from support.fillworld import APP, WORDS, FillWorld, T, a_worker
from support.fillworld import MakeFillWorld as Make

from traptor.common.errors import TraptorError
from traptor.common.fills import FillEnd
from traptor.common.messages import PieceFetched
from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.apps.wanted.translated import Wording
from traptor.supervisor.ledger.records import Entry
from traptor.supervisor.money.caps import Caps


def test_pages_and_queries_follow_each_other_a_second_apart_until_the_gap_is_filled(
    make: Make, caplog: pytest.LogCaptureFixture
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


def test_a_gap_is_left_alone_until_its_posts_can_be_found(make: Make) -> None:
    world = make()
    world.now = 80
    assert world.turn() is None
    world.now = 90
    assert world.turn() is not None


@pytest.mark.parametrize("after", ["nothing", "an answer", "an answer of the old worker"])
def test_a_killed_worker_costs_one_piece(make: Make, after: str) -> None:
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
    make: Make,
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
    make: Make, change: Callable[[FillWorld], None], why: str
) -> None:
    world = make()
    change(world)
    assert world.turn() is None
    assert world.waits_for() == why


def test_a_fill_waits_while_the_setting_is_off(make: Make) -> None:
    world = make(fill_gaps="no")
    assert world.turn() is None
    assert world.waits_for() == "fill_gaps is no"


def test_a_cap_is_never_passed_and_the_rest_follows_on_the_next_day(make: Make) -> None:
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


def test_the_other_caps_count_too(make: Make) -> None:
    world = make()
    world.app.spending.terms = Terms(caps=Caps(daily_posts=60))  # type: ignore[attr-defined]
    piece = world.turn()
    assert piece is not None
    assert piece.max_results == 60


def test_refusals_and_failures_have_their_consequences(make: Make, caplog: pytest.LogCaptureFixture) -> None:
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


def test_an_apps_other_connection_is_asked_while_the_first_has_no_stream(
    make: Make,
) -> None:
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


def test_what_an_app_without_a_stream_is_refused_is_told_to_it(make: Make) -> None:
    world = make()
    world.turn()
    world.lose_the_stream()
    world.answer(FillEnd.HTTP, status=401)
    assert world.app.heard == ["refused bearer-of-the-app: X answered 401"]
    other = make(fill_gaps="recovery")
    other.turn()
    other.answer(FillEnd.HTTP, status=402, problem="credits-depleted")
    assert other.app.heard == ["out of credit: X answered 402: credits-depleted"]


def test_a_gap_whose_rules_are_gone_or_cannot_be_searched_is_given_up(make: Make) -> None:
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


def test_a_gap_in_which_no_rule_was_carried_lacks_nothing(make: Make) -> None:
    world = make()
    world.carried = frozenset()
    assert world.turn() is None
    fill = world.book.all()[-1]
    assert (fill.state, fill.why) == ("done", "no rule was carried then")


def test_a_gap_that_comes_while_the_ledger_is_read_is_filled_too(make: Make) -> None:
    world = make()
    world.while_reading = lambda: world.book.take(Entry(APP, "gap", "crash", T + 70, T + 80, 10, 1))
    assert world.turn() is None
    world.while_reading = lambda: None
    piece = world.turn()
    assert piece is not None
    assert piece.end_time == "2026-09-21T14:14:41Z"
    [fill] = world.book.all()
    assert (fill.state, fill.to_unix) == ("running", T + 80)


def test_a_gap_waits_while_the_ledger_cannot_tell_its_rules(make: Make) -> None:
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


def test_a_query_whose_rules_are_all_gone_is_left_out_unless_it_has_begun(
    make: Make,
) -> None:
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


def test_nothing_is_decided_before_the_rules_are_known(make: Make) -> None:
    world = make()
    world.app.filtering.groups = None  # type: ignore[attr-defined]
    assert world.turn() is None
    assert world.book.open(APP)


def test_a_restart_does_not_begin_the_window_of_searches_anew(make: Make) -> None:
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
