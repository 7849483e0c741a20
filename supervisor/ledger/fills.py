"""Keep how gaps are filled: which wait, how far each one is, and what that cost today.

Like the rest of the ledger it is in memory first; the writer brings changes to disk together with the gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter

from traptor.common.files.fillreads import FillReads
from traptor.common.fills import FillMethod
from traptor.supervisor.gaps.fill import Fill, FillCost, FillState, FillTold, FillTotal, is_filled
from traptor.supervisor.gaps.interval import IntervalKind
from traptor.supervisor.ledger.notes import Notes
from traptor.supervisor.ledger.records import Entry, FillNews, StoredFills

Choose = Callable[[Entry], FillMethod | None]
_FINAL_KEPT = 100  # of either final state, in memory, for the status; the file has them all


def _nothing(_entry: Entry) -> None:
    return None


class FillBook:
    """Owns the fills; `choose` tells by which method a gap is filled, if by any."""

    def __init__(self, stored: StoredFills | None, choose: Choose = _nothing) -> None:
        stored = stored or StoredFills()
        self._choose = choose
        self._last_id = stored.last_id
        known = sorted((*stored.given_up, *stored.open), key=attrgetter("id"))
        self._fills = Notes((fill.id, fill) for fill in known)
        self._costs = Notes(map(_by_day, stored.costs))
        self._plans = Notes(stored.plans.items())
        self._totals = Notes((total.state, total) for total in stored.totals)
        self._told = Notes(map(_by_worker, stored.told))
        self._forgotten: list[str] = []  # workers that tell nothing any more, not on disk yet

    # ---- events

    def take(self, entry: Entry) -> None:
        """Have a completed gap filled, together with the one before it where they are close."""
        if entry.kind != IntervalKind.GAP or entry.connection is None:
            return
        if not is_filled(entry.cause, entry.generation):
            return
        method = self._choose(entry)
        if method is None:
            return
        before = next((one for one in self.open(entry.connection) if one.joins(entry.from_unix)), None)
        if before is not None and before.method is method:
            self.put(before.joined(entry.from_unix, entry.to_unix))
            return
        self._last_id += 1
        fill = Fill(self._last_id, entry.connection, entry.from_unix, entry.to_unix, method, at=entry.to_unix)
        self.put(fill)

    def put(self, fill: Fill) -> None:
        """Replace a fill by what it became."""
        before = self._fills.get(fill.id)
        self._fills.put(fill.id, fill)
        if not fill.is_open:
            self._end(fill, before)

    def halve(self, fill: Fill) -> None:
        """Have the two halves of a stretch filled each by itself."""
        self._last_id += 1
        for half in fill.halves(self._last_id):
            self.put(half)

    def forget(self, before: float) -> None:
        """Give up what ended before that Unix time: the ledger forgets such gaps."""
        for fill in [one for one in self._fills.values() if one.is_open and one.to_unix < before]:
            self.put(fill.given_up("it is older than ledger_keep", before))

    def plan(self, fill: Fill, plan: bytes) -> None:
        """Keep what a fill asks for, which stays the same whatever becomes of the rules."""
        self._plans.put(fill.id, plan)
        self.put(fill)

    def paid(self, connection: str, dollars: float, unix: float) -> None:
        """Count what a piece cost."""
        key = connection, _day_of(unix)
        before = self._costs.get(key) or FillCost(*key, 0.0)
        cost = replace(before, dollars=round(before.dollars + dollars, 6))
        self._costs.keep(lambda one: one[1] >= key[1])
        self._costs.put(key, cost)

    def tell(self, fill: int, worker: str, reads: FillReads) -> None:
        """Record that these of a worker's posts and reads are in a fill now."""
        told = FillTold(fill, worker, self.told(fill, worker) + reads)
        self._told.put((fill, worker), told)

    def forget_worker(self, worker: str) -> None:
        """Forget what a worker told, once it can be asked for nothing more."""
        self._told.keep(lambda key: key[1] != worker)
        self._told.withdraw(lambda key: key[1] == worker)
        self._forgotten.append(worker)

    def _end(self, fill: Fill, before: Fill | None) -> None:
        self._plans.drop(fill.id)
        self._totals.put(fill.state, self.total(fill.state).plus(fill, before))
        final = [one.id for one in self._fills.values() if one.state is fill.state]
        for id_ in final[:-_FINAL_KEPT]:
            self._fills.drop(id_)

    # ---- answers

    def open(self, connection: str) -> list[Fill]:
        """Return the fills of a connection that are not final, the earliest stretch first."""
        found = [one for one in self._fills.values() if one.is_open and one.connection == connection]
        return sorted(found, key=lambda one: (one.from_unix, one.id))

    def all(self) -> tuple[Fill, ...]:
        """Return all that are open, and the last final ones."""
        return self._fills.values()

    def total(self, state: FillState) -> FillTotal:
        """Return what ever ended in a final state."""
        return self._totals.get(state) or FillTotal(state)

    def told(self, fill: int, worker: str) -> FillReads:
        """Return what of a worker's posts and reads is in a fill."""
        found = self._told.get((fill, worker))
        return FillReads() if found is None else found.reads

    def has_told(self) -> frozenset[str]:
        """Return the workers of which something is in the fills."""
        return frozenset(worker for _, worker in self._told)

    def is_written(self, worker: str) -> bool:
        """Tell whether all that a worker told is on disk."""
        return all(one != worker for _, one in self._told.news())

    def named(self, fill: int) -> Fill | None:
        """Return a fill by its id; None: it was over long ago."""
        return self._fills.get(fill)

    def plan_of(self, fill: Fill) -> bytes | None:
        """Return what an open fill asks for; None: it was not planned yet."""
        return self._plans.get(fill.id)

    def spent(self, connection: str, unix: float) -> float:
        """Return what the fills of a connection have cost on the UTC day of that time."""
        cost = self._costs.get((connection, _day_of(unix)))
        return cost.dollars if cost is not None else 0.0

    # ---- writing

    def news(self) -> FillNews:
        """Return what is not on disk yet."""
        return FillNews(
            tuple(self._fills.news().values()),
            tuple(self._costs.news().values()),
            tuple(self._plans.news().items()),
            tuple(self._totals.news().values()),
            tuple(self._told.news().values()),
            tuple(self._forgotten),
        )

    def written(self, news: FillNews) -> None:
        """Record that this is on disk now."""
        self._fills.written((fill.id, fill) for fill in news.fills)
        self._costs.written(map(_by_day, news.costs))
        self._plans.written(news.plans)
        self._totals.written((total.state, total) for total in news.totals)
        self._told.written(map(_by_worker, news.told))
        del self._forgotten[: len(news.forgotten)]


def _by_day(cost: FillCost) -> tuple[tuple[str, str], FillCost]:
    return (cost.connection, cost.day), cost


def _by_worker(told: FillTold) -> tuple[tuple[int, str], FillTold]:
    return (told.fill, told.worker), told


def _day_of(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).date().isoformat()
