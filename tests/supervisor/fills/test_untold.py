"""What killed workers had delivered for gaps and not told: booked once, whoever is killed when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from traptor.common.files.fillreads import FillReads, FillReadsFile, kept_fills
from traptor.common.fills import OF_BACKFILLS, FillMethod
from traptor.supervisor.fills.pieces.course import Worker
from traptor.supervisor.fills.untold import UntoldPieces
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.gaps.interval import Instant
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.ledger.records import Unwritten
from traptor.supervisor.money.reads import Prices

APP = "v2:app"
TOTAL = FillReads(new=9, posts=7, included_posts=1, included_users=2)  # $0.04 and $0.02


@dataclass
class Ledger:
    """A ledger on disk, and the master that has it now."""

    store: LedgerStore
    state_dir: Path
    prices: Prices | None = field(default_factory=Prices)
    living: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.begin(FillBook(None))

    def begin(self, book: FillBook) -> None:
        self.book = book
        self.untold = UntoldPieces(self.state_dir, book, lambda name: self.prices if name == APP else None)
        self.untold.find(self.living)

    def write(self) -> None:
        news = self.book.news()
        self.store.write(Unwritten(Instant(1.0, 1.0), "boot", fills=news))
        self.book.written(news)

    def kill(self) -> None:
        """Another master begins, with what the last one wrote."""
        stored = self.store.load()
        self.begin(FillBook(stored.fills if stored is not None else None))

    def keep(self, totals: dict[int, FillReads], connection: str = APP, generation: int = 3) -> float:
        """A worker writes its file, and is dead; when it wrote."""
        FillReadsFile(self.state_dir, connection, generation).write(totals)
        found = kept_fills(self.state_dir, connection, generation)
        assert found is not None
        return found.at

    def sums(self, fill: int = 7) -> tuple[int, float]:
        found = self.book.named(fill)
        assert found is not None
        return found.posts, found.dollars


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(LedgerStore(tmp_path / "ledger.db")) as store:
        made = Ledger(store, tmp_path)
        made.book.put(Fill(7, APP, 0.0, 60.0, FillMethod.SEARCH).begun(2, 0.0))
        made.write()
        yield made


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (FillReads(), (9, 0.06)),
        (FillReads(new=5, posts=7, included_posts=1, included_users=1), (4, 0.01)),
        (TOTAL, (0, 0.0)),
        (FillReads(new=50, posts=50), (0, 0.025)),  # of kinds that were told of too much, nothing
    ],
)
def test_what_was_not_told_is_added_once(
    ledger: Ledger, told: FillReads, expected: tuple[int, float]
) -> None:
    ledger.book.tell(7, f"{APP}#3", told)
    at = ledger.keep({7: TOTAL})
    ledger.untold.ended(Worker(APP, 3))
    ledger.untold.settle()
    assert ledger.sums() == expected
    assert ledger.book.spent(APP, at) == expected[1]
    assert not ledger.untold.settle()
    assert ledger.sums() == expected


@pytest.mark.parametrize("killed", ["before it settled", "before it wrote", "after it wrote", "never"])
def test_a_kill_of_the_master_at_any_time_counts_nothing_twice(ledger: Ledger, killed: str) -> None:
    at = ledger.keep({7: TOTAL})
    ledger.untold.ended(Worker(APP, 3))
    if killed != "before it settled":
        assert ledger.untold.settle()
    if killed in ("after it wrote", "never"):
        ledger.write()
    if killed != "never":
        ledger.kill()
    for _ in range(3):
        ledger.untold.settle()
        ledger.write()
    assert (ledger.sums(), ledger.book.spent(APP, at)) == ((9, 0.06), 0.06)
    assert kept_fills(ledger.state_dir, APP, 3) is None
    assert ledger.book.has_told() == frozenset()
    stored = ledger.store.load()
    assert stored is not None
    assert list(stored.fills.told) == []


def test_a_file_stays_until_what_was_booked_of_it_is_on_disk(ledger: Ledger) -> None:
    ledger.keep({7: TOTAL})
    ledger.untold.ended(Worker(APP, 3))
    for _ in range(2):
        ledger.untold.settle()
    assert kept_fills(ledger.state_dir, APP, 3) is not None
    ledger.write()
    ledger.untold.settle()
    assert kept_fills(ledger.state_dir, APP, 3) is None


def test_a_living_worker_and_one_of_unknown_prices_are_waited_for(ledger: Ledger) -> None:
    ledger.living = frozenset({f"{APP}#4"})
    ledger.prices = None
    ledger.keep({7: TOTAL})
    ledger.keep({7: TOTAL}, generation=4)
    ledger.kill()
    assert not ledger.untold.settle()
    ledger.prices = Prices()
    assert ledger.untold.settle()
    assert ledger.sums() == (9, 0.06)


def test_both_connections_of_an_app_work_for_its_gaps(ledger: Ledger) -> None:
    at = ledger.keep({7: TOTAL}) + ledger.keep({7: FillReads(new=1)}, f"{APP}.2")
    ledger.kill()
    ledger.untold.settle()
    assert ledger.sums() == (10, 0.06)
    assert at


def test_what_a_stream_brought_of_the_past_is_of_the_gap_that_is_left_to_a_job(ledger: Ledger) -> None:
    at = ledger.keep({OF_BACKFILLS: TOTAL, 99: FillReads(new=5, posts=2)})
    ledger.book.put(Fill(8, APP, 100.0, 160.0, FillMethod.RECOVERY))
    ledger.untold.ended(Worker(APP, 3))
    ledger.untold.settle()
    assert (ledger.sums(), ledger.sums(8)) == ((0, 0.0), (9, 0.06))
    assert ledger.book.spent(APP, at) == pytest.approx(0.07), "and that of a gap that was over long ago"


def test_a_gap_that_is_over_is_counted_as_one(ledger: Ledger) -> None:
    fill = ledger.book.named(7)
    assert fill is not None
    ledger.book.put(replace(fill, posts=1).given_up("no access", 0.0))
    ledger.keep({7: TOTAL})
    ledger.untold.ended(Worker(APP, 3))
    ledger.untold.settle()
    assert ledger.sums() == (10, 0.06)
    total = ledger.book.total(FillState.GIVEN_UP)
    assert (total.fills, total.posts) == (1, 10)
