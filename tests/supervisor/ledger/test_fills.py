"""The fills of gaps in memory and on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from traptor.common.fills import FillMethod
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.disk.reader import LedgerReader
from traptor.supervisor.ledger.disk.schema import MIGRATIONS, fill_row
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.ledger.period import ALL_TIME, Period
from traptor.supervisor.ledger.records import Entry, StoredFills, Unwritten
from traptor.supervisor.state.database import migrate

T = 1_790_000_000.0
APP = "v2:app"


def by_search(_gap: Entry) -> FillMethod:
    return FillMethod.SEARCH


def entry(
    since: float,
    until: float,
    cause: str | None = "crash",
    kind: str = "gap",
    name: str = APP,
    generation: int | None = 3,
) -> Entry:
    return Entry(name, kind, cause, T + since, T + until, until - since, generation)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    with closing(LedgerStore(tmp_path / "ledger.db")) as one:
        yield one


def written(book: FillBook, store: LedgerStore) -> None:
    news = book.news()
    store.write(Unwritten(Instant(T, 1.0), "boot", fills=news))
    book.written(news)


def reborn(store: LedgerStore) -> FillBook:
    stored = store.load()
    assert stored is not None
    return FillBook(stored.fills, by_search)


def stretches(book: FillBook) -> list[tuple[float, float]]:
    return [(one.from_unix - T, one.to_unix - T) for one in book.open(APP)]


def test_gaps_are_to_be_filled_and_those_that_follow_each_other_together() -> None:
    book = FillBook(None, by_search)
    for one in (
        entry(-50, -40, "start", generation=None),
        entry(0, 10, "server_close"), entry(10, 12, "network"), entry(12, 100, None, "streaming"),
        entry(100, 101, "crash"), entry(200, 201, "start"), entry(201, 300, "cost"),
        entry(300, 310, "operator_stop"),
    ):  # fmt: skip
        book.take(one)
    assert stretches(book) == [(0, 12), (100, 101), (200, 201)]
    assert [one.id for one in book.open(APP)] == [1, 2, 3]
    assert book.open("v2:other") == []


def test_without_a_method_nothing_is_filled() -> None:
    book = FillBook(None)
    book.take(entry(0, 10))
    assert book.all() == ()


def test_a_master_goes_on_where_the_last_one_was_killed(store: LedgerStore) -> None:
    book = FillBook(None, by_search)
    for since in (0, 100, 200):
        book.take(entry(since, since + 10))
    first, second, _ = book.open(APP)
    book.plan(first.begun(2, T), b"plan")
    book.put(book.open(APP)[0].got(41, 0.205, T + 30).fetched("page2"))
    book.put(second.given_up("no access", T + 31))
    book.paid(APP, 0.205, T)
    written(book, store)
    again = reborn(store)
    assert again.all() == book.all(), "with what was given up within the last day"
    assert again.open(APP) == book.open(APP)
    assert again.open(APP)[0].token == "page2"
    assert again.plan_of(again.open(APP)[0]) == b"plan"
    assert again.spent(APP, T) == 0.205
    again.take(entry(300, 310))
    assert [one.id for one in again.open(APP)] == [1, 3, 4]


def test_what_was_given_up_days_ago_is_not_told_of_again(store: LedgerStore) -> None:
    book = FillBook(None, by_search)
    book.take(entry(0, 10))
    book.put(book.open(APP)[0].given_up("no access", T - 86_401))
    written(book, store)
    again = reborn(store)
    assert again.all() == ()
    again.take(entry(100, 110))
    assert again.open(APP)[0].id == 2


def test_what_changed_during_a_write_is_written_next(store: LedgerStore) -> None:
    book = FillBook(None, by_search)
    book.take(entry(0, 10))
    news = book.news()
    book.put(book.open(APP)[0].begun(1, T))
    store.write(Unwritten(Instant(T, 1.0), "boot", fills=news))
    book.written(news)
    assert [one.state for one in book.news().fills] == [FillState.RUNNING]
    written(book, store)
    assert book.news().fills == ()


def test_costs_are_those_of_the_day() -> None:
    book = FillBook(StoredFills(), by_search)
    book.paid(APP, 0.5, T)
    book.paid(APP, 0.25, T)
    assert (book.spent(APP, T), book.spent(APP, T + 86_400), book.spent("v2:other", T)) == (0.75, 0.0, 0.0)
    book.paid(APP, 1.0, T + 86_400)
    assert book.spent(APP, T + 86_400) == 1.0


def test_costs_of_days_that_the_ledger_forgets_are_forgotten(store: LedgerStore) -> None:
    book = FillBook(None, by_search)
    for unix in (T, T + 86_400):
        book.paid(APP, 0.5, unix)
        written(book, store)
    for since in (T, T + 86_400):
        store.prune(Period(since, T + 200_000))
        stored = store.load()
        assert stored is not None
        days = [cost.day for cost in stored.fills.costs]
        assert days == (["2026-09-22", "2026-09-21"] if since == T else ["2026-09-22"])


def test_the_plan_of_a_finished_fill_is_deleted(store: LedgerStore) -> None:
    book = FillBook(None, by_search)
    book.take(entry(0, 10))
    book.plan(book.open(APP)[0].begun(1, T), b"plan")
    written(book, store)
    book.put(book.open(APP)[0].got(1, 0.005, T).fetched(""))
    written(book, store)
    stored = store.load()
    assert stored is not None
    assert (dict(stored.fills.plans), list(stored.fills.open)) == ({}, [])


def test_fills_are_answered_by_period_and_connection_and_forgotten_with_their_gaps(
    store: LedgerStore,
) -> None:
    book = FillBook(None, by_search)
    for since, name in ((0, APP), (100, APP), (100, "v2:other")):
        book.take(entry(since, since + 10, name=name))
    book.put(book.open(APP)[0].given_up("old", T))
    written(book, store)
    with closing(LedgerReader(store.path)) as reader:
        assert len(reader.fills(ALL_TIME)) == 3
        assert [one.connection for one in reader.fills(Period(T + 50), APP)] == [APP]
        store.prune(Period(T + 150, T + 200))
        # what is still to be filled stays
        assert [one.state for one in reader.fills(ALL_TIME)] == [FillState.WAITING] * 2


def test_gaps_that_the_ledger_forgets_are_not_filled_any_more(store: LedgerStore) -> None:
    book = FillBook(None, by_search)
    for since in (0, 100):
        book.take(entry(since, since + 10))
    book.forget(T + 50)
    assert stretches(book) == [(100, 110)]
    assert book.all()[0].why == "it is older than ledger_keep"
    written(book, store)
    store.prune(Period(T + 50, T + 200))
    with closing(LedgerReader(store.path)) as reader:
        assert [one.from_unix - T for one in reader.fills(ALL_TIME)] == [100]


def test_what_ended_is_counted_for_ever(store: LedgerStore) -> None:
    """A metric that falls looks like a restart, and one that stops at a hundred like no trouble at all."""
    book = FillBook(None, by_search)
    for number in range(300):
        book.take(entry(100 * number, 100 * number + 10))
        fill = book.open(APP)[0].got(2, 0.01, T)
        book.put(fill.given_up("no", T - 86_401) if number % 3 else fill.begun(1, T).fetched(""))
        if number % 50 == 0:
            written(book, store)
    book.take(entry(100_000, 100_010))
    written(book, store)
    store.prune(Period(T + 90_000, T + 200_000))
    again = reborn(store)
    for one in (book, again):
        done, given_up = one.total(FillState.DONE), one.total(FillState.GIVEN_UP)
        assert (done.fills, done.posts, given_up.fills, given_up.posts) == (100, 200, 200, 400)
    again.put(again.open(APP)[0].given_up("no", T))
    assert again.total(FillState.GIVEN_UP).fills == 201


def test_final_fills_in_memory_are_bounded() -> None:
    book = FillBook(None, by_search)
    for number in range(300):
        book.take(entry(100 * number, 100 * number + 10))
        book.put(book.open(APP)[0].given_up("no", T))
    book.take(entry(100_000, 100_010))
    assert len(book.all()) == 101
    for number in range(200):
        book.take(entry(200_000 + 100 * number, 200_010 + 100 * number))
        book.put(book.open(APP)[-1].begun(1, T).fetched(""))
    assert len(book.all()) == 201, "those that are done leave room for what was given up"
    assert isinstance(book.all()[-1], Fill)


def test_the_totals_begin_with_what_an_older_version_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, path, MIGRATIONS[:3])
        fill = Fill(1, APP, T, T + 10, FillMethod.SEARCH).begun(1, T).got(41, 0.2, T)
        for one in (fill.fetched(""), replace(fill, id=2).given_up("no", T), replace(fill, id=3)):
            db.execute(f"INSERT INTO fills VALUES ({', '.join('?' * 14)})", fill_row(one))
        db.execute("INSERT INTO run VALUES (1, 'boot', ?, 1.0, 0)", (T,))
    with closing(LedgerStore(path)) as store:
        book = reborn(store)
    counted = [book.total(state) for state in (FillState.DONE, FillState.GIVEN_UP)]
    assert [(total.fills, total.posts) for total in counted] == [(1, 41), (1, 41)]
    assert [one.id for one in book.open(APP)] == [3]
