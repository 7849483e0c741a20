"""Book what workers had delivered and read for fills when they, or their master, were killed.

Each worker keeps a file of that. What of it the ledger holds is kept with the fills, so that nothing is
counted twice or not at all, whoever is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path

from traptor.common.files.fillreads import FillReads, all_kept_fills, kept_fills, remove_kept_fills
from traptor.common.fills import OF_BACKFILLS, FillMethod
from traptor.supervisor.fills.pieces.course import Worker
from traptor.supervisor.gaps.fill import Fill
from traptor.supervisor.ledger.fills import FillBook
from traptor.supervisor.money.reads import Prices, Reads
from traptor.supervisor.workers.leftovers import first_of


class UntoldPieces:
    """Owns the list of workers that are gone and may have told less than they did.

    `prices` returns those of the app of a connection, and None until it is known.
    """

    def __init__(self, state_dir: Path, book: FillBook, prices: Callable[[str], Prices | None]) -> None:
        self._state_dir = state_dir
        self._book = book
        self._prices = prices
        self._gone: dict[Worker, bool] = {}  # whether what it left is booked

    def find(self, living: Container[str]) -> None:
        """Take note of all workers that left something, but those that live, by their names."""
        found = [Worker(*place) for place in all_kept_fills(self._state_dir)]
        for worker in found:
            if worker.name not in living:
                self._gone.setdefault(worker, False)
        for name in self._book.has_told() - {worker.name for worker in found}:
            if name not in living:
                self._book.forget_worker(name)

    def ended(self, worker: Worker) -> None:
        """Take note of a worker whose process is gone."""
        self._gone.setdefault(worker, False)

    def settle(self) -> bool:
        """Book what is left, and remove the files of what is on disk; tell whether anything was booked."""
        was_any = False
        for worker, is_booked in tuple(self._gone.items()):
            if is_booked:
                self._remove(worker)
            elif (prices := self._prices(first_of(worker.connection))) is not None:
                was_any |= self._book_all(worker, prices)
                self._gone[worker] = True
        return was_any

    def _book_all(self, worker: Worker, prices: Prices) -> bool:
        kept = kept_fills(self._state_dir, *worker)
        if kept is None:
            return False
        was_any = False
        for fill, total in kept.totals.items():
            missing = total.beyond(self._book.told(fill, worker.name))
            if missing != FillReads():
                self._book_one(worker, fill, missing, prices, kept.at)
                was_any = True
        return was_any

    def _book_one(self, worker: Worker, fill: int, reads: FillReads, prices: Prices, at: float) -> None:
        dollars = reads_of_fill(reads).dollars(prices)
        connection = first_of(worker.connection)
        if dollars:
            self._book.paid(connection, dollars, at)
        self._book.tell(fill, worker.name, reads)
        found = self._backfilled(connection) if fill == OF_BACKFILLS else self._book.named(fill)
        if found is not None:
            self._book.put(found.got(reads.new, dollars, at))

    def _backfilled(self, connection: str) -> Fill | None:
        """Return the fill that a stream was to bring first, or that is left of it to a recovery job."""
        open_ = (one for one in self._book.open(connection) if one.method is not FillMethod.SEARCH)
        return next(open_, None)

    def _remove(self, worker: Worker) -> None:
        if not self._book.is_written(worker.name):
            return
        remove_kept_fills(self._state_dir, *worker)
        if kept_fills(self._state_dir, *worker) is None:
            self._book.forget_worker(worker.name)
            del self._gone[worker]


def reads_of_fill(reads: FillReads) -> Reads:
    """Return what X bills of it."""
    return Reads(reads.posts, reads.included_posts, reads.included_users)
