"""Read `state_dir/ledger.db`: what a predecessor left, and what a question asks for."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from traptor.common.errors import TraptorError
from traptor.supervisor.gaps.fill import Fill, FillCost, FillState, FillTotal
from traptor.supervisor.gaps.interval import GapCause, Instant, Totals
from traptor.supervisor.ledger.disk.schema import account_of, entry_of, fill_of, told_of
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import Entry, Inheritance, StoredFills

OPEN_STATES = (FillState.WAITING.value, FillState.RUNNING.value)
NO_ID = (1 << 63) - 1  # higher than any id
_LOCK_TIMEOUT_S = 1.0
_PAGE = 1000  # small, so that a read does not keep SQLite from checkpointing for long
_STEPS = 10_000  # SQLite VM steps between two checks of the clock: about a millisecond
_PLACES = "SELECT DISTINCT place FROM stays WHERE to_unix IS NULL"
_ENTRIES = """
    SELECT * FROM intervals WHERE id > ?1 AND id < ?2 AND to_unix >= ?3 AND from_unix <= ?4
    ORDER BY id LIMIT ?5"""
_ENTRIES_OF = """
    SELECT * FROM intervals
    WHERE connection = ?6 AND id > ?1 AND id < ?2 AND to_unix >= ?3 AND from_unix <= ?4
    ORDER BY id LIMIT ?5"""
_OPEN_FILLS = "SELECT * FROM fills WHERE state IN (?, ?)"
# As long as the status tells of them; as many as the master keeps in memory.
_GIVEN_UP = "SELECT * FROM fills WHERE state = ? AND at > ? ORDER BY id DESC LIMIT 100"
_TOLD_S = 86_400.0
_LAST_FILL = "SELECT coalesce(max(id), 0) FROM fills"
_LAST_COSTS = "SELECT * FROM fill_costs ORDER BY day DESC LIMIT 1000"
_FILL_TOTALS = "SELECT * FROM fill_totals"
_FILLS = """
    SELECT * FROM fills WHERE to_unix >= ?1 AND from_unix <= ?2 AND (?3 IS NULL OR connection = ?3)
    ORDER BY id"""
_KEYS_WITHIN = """
    SELECT key FROM stays JOIN rules ON rules.id = stays.rule
    WHERE place = ?1 AND from_unix <= ?3 AND (to_unix IS NULL OR to_unix >= ?2)"""
_STAYS = """
    SELECT key, rule_id, place, from_unix, to_unix FROM stays JOIN rules ON rules.id = stays.rule
    WHERE key = ?1 OR rule_id = ?1 ORDER BY key, place, from_unix"""


def read_stored(db: sqlite3.Connection) -> Inheritance | None:
    """Return what was written last; None when the file is new. Raises sqlite3.Error."""
    run = db.execute("SELECT boot, noted_unix, noted_mono, is_clean FROM run").fetchone()
    if run is None:
        return None
    boot, noted_unix, noted_mono, is_clean = run
    (last_id,) = db.execute("SELECT coalesce(max(id), 0) FROM intervals").fetchone()
    accounts = [account_of(row) for row in db.execute("SELECT * FROM connections")]
    places = [place for (place,) in db.execute(_PLACES)]
    noted, fills = Instant(noted_unix, noted_mono), _stored_fills(db, noted_unix - _TOLD_S)
    return Inheritance(noted, boot, bool(is_clean), last_id, accounts, _totals(db), places, fills)


def _stored_fills(db: sqlite3.Connection, told_since: float) -> StoredFills:
    (last_id,) = db.execute(_LAST_FILL).fetchone()
    return StoredFills(
        last_id,
        [fill_of(row) for row in db.execute(_OPEN_FILLS, OPEN_STATES)],
        [FillCost(*row) for row in db.execute(_LAST_COSTS)],
        dict(db.execute("SELECT fill, plan FROM fill_plans")),
        [fill_of(row) for row in db.execute(_GIVEN_UP, (FillState.GIVEN_UP.value, told_since))],
        [FillTotal(FillState(state), *counts) for state, *counts in db.execute(_FILL_TOTALS)],
        [told_of(row) for row in db.execute("SELECT * FROM fill_told")],
    )


def _totals(db: sqlite3.Connection) -> dict[str, Totals]:
    totals: dict[str, Totals] = {}
    for connection, kind, cause, seconds in db.execute("SELECT * FROM sums"):
        one = totals.setdefault(connection, Totals())
        match kind:
            case "streaming":
                one.streaming_s = seconds
            case "unplanned":
                one.unplanned_s = seconds
            case _:
                one.gaps_s[GapCause(cause)] = seconds
    return totals


@dataclass(frozen=True, slots=True)
class StoredStay:
    """A rule's stay in a place, in Unix time; without an end the rule is still there."""

    key: str
    rule_id: str
    place: str
    from_unix: float
    to_unix: float | None

    @property
    def lasts(self) -> bool:
        """True while the rule is still there."""
        return self.to_unix is None

    def within(self, period: Period) -> Period | None:
        """Return the part of the stay within a period; None when there is none."""
        return period.overlap(self.from_unix, math.inf if self.to_unix is None else self.to_unix)

    def until(self, unix: float) -> StoredStay:
        """Return the stay, ended at that Unix time."""
        return replace(self, to_unix=max(self.from_unix, unix))


class LedgerReader:
    """A read-only view of the file.

    Every method raises TraptorError when the file cannot be read, or when the answer takes longer than
    `within_s`.
    """

    def __init__(self, path: Path, within_s: float = 60.0) -> None:
        self._path = path
        self._within_s = within_s
        self._deadline = 0.0
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with self._explained():
            # Used by one thread at a time, though not always by the same one.
            self._db = sqlite3.connect(uri, uri=True, timeout=_LOCK_TIMEOUT_S, check_same_thread=False)
        self._db.set_progress_handler(lambda: time.monotonic() > self._deadline, _STEPS)

    def stored(self) -> Inheritance | None:
        """Return everything but intervals and the stays of rules that left."""
        with self._explained():
            return read_stored(self._db)

    def entries(self, before: int, period: Period, connection: str | None = None) -> Iterator[list[Entry]]:
        """Yield entries with a lower id that touch a period, ordered by their end, a page at a time."""
        after = 0
        while page := self._page(after, before, period, connection):
            yield page
            after = page[-1].id

    def _page(self, after: int, before: int, period: Period, connection: str | None) -> list[Entry]:
        values = (after, before, period.since, period.until, _PAGE)
        with self._explained():
            if connection is None:
                return [entry_of(row) for row in self._db.execute(_ENTRIES, values)]
            return [entry_of(row) for row in self._db.execute(_ENTRIES_OF, (*values, connection))]

    def stays(self, rule: str) -> list[StoredStay]:
        """Return where a rule was, by its Redis key or its rule id; several keys may have the same id."""
        with self._explained():
            return [StoredStay(*row) for row in self._db.execute(_STAYS, (rule,))]

    def fills(self, period: Period, connection: str | None = None) -> list[Fill]:
        """Return the fills of gaps that touch a period, in the order in which they were planned."""
        with self._explained():
            rows = self._db.execute(_FILLS, (period.since, period.until, connection))
            return [fill_of(row) for row in rows]

    def keys_within(self, place: str, period: Period) -> frozenset[str]:
        """Return the Redis keys of the rules that were in a place at any time of a period."""
        with self._explained():
            rows = self._db.execute(_KEYS_WITHIN, (place, period.since, period.until))
            return frozenset(key for (key,) in rows)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        self._deadline = time.monotonic() + self._within_s
        try:
            yield
        except sqlite3.Error as error:
            raise TraptorError(f"{self._path}: the gap ledger cannot be read: {error}") from error
