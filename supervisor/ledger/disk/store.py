"""The gap ledger's file `state_dir/ledger.db`: one SQLite file, written by the supervisor alone."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.common.rules.turnover import turnover
from traptor.supervisor.ledger.disk.reader import NO_ID, OPEN_STATES, read_stored
from traptor.supervisor.ledger.disk.schema import MIGRATIONS, account_row, entry_row, fill_row, told_row
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import Entry, FillNews, Inheritance, Placement, Unwritten
from traptor.supervisor.state.database import migrate, refuse_link, says_full, transaction
from traptor.supervisor.state.reserve import Reserve

log = logging.getLogger(__name__)

_NOTE = """
    INSERT INTO run VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET boot = excluded.boot,
    noted_unix = excluded.noted_unix, noted_mono = excluded.noted_mono, is_clean = excluded.is_clean"""
_ADD_ENTRY = """
    INSERT INTO intervals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"""
_ADD_SECONDS = """
    INSERT INTO sums VALUES (?, ?, ?, ?)
    ON CONFLICT (connection, kind, cause) DO UPDATE SET seconds = seconds + excluded.seconds"""
_SET_ACCOUNT = "INSERT OR REPLACE INTO connections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_RULE = """
    INSERT INTO rules (key, rule_id) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET rule_id = excluded.rule_id WHERE rule_id <> excluded.rule_id"""
_KEYS_IN = "SELECT key FROM stays JOIN rules ON rules.id = stays.rule WHERE to_unix IS NULL AND place = ?"
_JOIN = """
    INSERT INTO stays SELECT id, ?, ?, NULL FROM rules WHERE key = ?
    ON CONFLICT (rule, place, from_unix) DO UPDATE SET to_unix = NULL"""
_LEAVE = """
    UPDATE stays SET to_unix = max(from_unix, ?) WHERE to_unix IS NULL AND place = ?
    AND rule = (SELECT id FROM rules WHERE key = ?)"""
_CONNECTIONS_OLD = "SELECT DISTINCT connection FROM intervals WHERE to_unix < ?"
# Of a connection, one by one in their order: the plus keeps SQLite from sorting all that are kept.
_FIRST_KEPT = """
    SELECT id FROM intervals WHERE connection = ? AND +to_unix BETWEEN ? AND ? ORDER BY id LIMIT 1"""
_LAST_OLD = "SELECT max(id) FROM intervals WHERE connection = ? AND to_unix < ? AND id < ?"
_SET_FILL = "INSERT OR REPLACE INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SET_PLAN = "INSERT OR REPLACE INTO fill_plans VALUES (?, ?)"
_SET_COST = "INSERT OR REPLACE INTO fill_costs VALUES (?, ?, ?)"
_SET_TOTAL = "INSERT OR REPLACE INTO fill_totals VALUES (?, ?, ?)"
_SET_TOLD = "INSERT OR REPLACE INTO fill_told VALUES (?, ?, ?, ?, ?, ?)"
_FORGET_TOLD = "DELETE FROM fill_told WHERE worker = ?"
_FORGET_FILLS = "DELETE FROM fills WHERE to_unix < ? AND state NOT IN (?, ?)"
_FORGET_COSTS = "DELETE FROM fill_costs WHERE day < date(?, 'unixepoch')"
_DROP_PLANS = "DELETE FROM fill_plans WHERE fill NOT IN (SELECT id FROM fills WHERE state IN (?, ?))"
_LOCK_TIMEOUT_S = 1.0  # only an operator's sqlite3 shell can hold the lock; pending data is written later


class LedgerStore:
    """The file. Its methods may be called from any thread, one at a time.

    A damaged file is moved aside and replaced by a new one: collecting matters more than the record of it.
    Raises TraptorError when the file cannot be used, or a newer version of Traptor wrote it.
    """

    def __init__(self, path: Path, reserve: Reserve | None = None) -> None:
        """Open it; if the disk is full, `reserve` is given up."""
        self._path = path
        self._give_up = reserve.give_up if reserve is not None else lambda: False
        try:
            self._db = self._open()
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error
        except sqlite3.DatabaseError as error:
            self._move_aside(error)
            with self._explained():
                self._db = self._open()

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._path

    def load(self) -> Inheritance | None:
        """Return what was written last; None when the file is new."""
        with self._explained():
            return read_stored(self._db)

    def write(self, batch: Unwritten) -> None:
        """Write the whole batch, or raise TraptorError and write nothing."""
        with self._explained():
            try:
                self._write(batch)
            except sqlite3.OperationalError as error:
                if not says_full(error) or not self._give_up():
                    raise
                self._write(batch)

    def _write(self, batch: Unwritten) -> None:
        with transaction(self._db):
            for name in batch.forgotten:
                self._forget(name)
            for entry in batch.entries:
                self._add_entry(entry)
            for placement in batch.placements:
                self._place(placement)
            self._db.executemany(_SET_ACCOUNT, map(account_row, batch.accounts))
            self._write_fills(batch.fills)
            self._db.execute(_NOTE, (batch.boot, *astuple(batch.noted), batch.is_clean))

    def prune(self, kept: Period) -> None:
        """Remove what ended before this period, up to now; the sums keep it. Raises TraptorError.

        Only the beginning of a connection is removed, or its intervals would not follow each other any more:
        after the wall clock was set back, a later interval may have ended earlier.
        """
        with self._explained(), transaction(self._db):
            for (connection,) in self._db.execute(_CONNECTIONS_OLD, (kept.since,)).fetchall():
                self._cut_beginning(connection, kept)
            self._db.execute("DELETE FROM stays WHERE to_unix < ?", (kept.since,))
            self._db.execute(_FORGET_FILLS, (kept.since, *OPEN_STATES))
            self._db.execute(_FORGET_COSTS, (kept.since,))
            self._db.execute("DELETE FROM rules WHERE id NOT IN (SELECT rule FROM stays)")

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._db.close()

    # ---- steps

    def _open(self) -> sqlite3.Connection:
        refuse_link(self._path)
        db = sqlite3.connect(
            self._path, timeout=_LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("PRAGMA journal_mode = WAL")
            # A power cut may undo the last second: the gap then begins earlier, which is also true.
            db.execute("PRAGMA synchronous = NORMAL")
            migrate(db, self._path, MIGRATIONS)
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
        except (sqlite3.Error, TraptorError):
            db.close()
            raise
        return db

    def _move_aside(self, error: sqlite3.Error) -> None:
        """Rename the file and its companion files."""
        aside = f".damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        try:
            for ending in ("", "-wal", "-shm"):
                file = self._path.with_name(self._path.name + ending)
                if file.exists():
                    os.replace(file, file.with_name(f"{self._path.name}{aside}{ending}"))
        except OSError as reason:
            raise self._unusable(reason) from reason
        log.error(
            "the gap ledger is damaged: moved aside, a new one is started",
            extra=fields(file=str(self._path), moved_to=self._path.name + aside, error=str(error)),
        )

    def _forget(self, connection: str) -> None:
        self._db.execute("DELETE FROM connections WHERE connection = ?", (connection,))
        self._db.execute("DELETE FROM sums WHERE connection = ?", (connection,))
        self._db.execute("DELETE FROM intervals WHERE connection = ?", (connection,))

    def _cut_beginning(self, connection: str, kept: Period) -> None:
        """Remove all before the first that is to be kept; one dated after now keeps none that is old."""
        first = self._db.execute(_FIRST_KEPT, (connection, kept.since, kept.until)).fetchone()
        before_id = first[0] if first is not None else NO_ID
        (last_old,) = self._db.execute(_LAST_OLD, (connection, kept.since, before_id)).fetchone()
        if last_old is not None:
            self._db.execute("DELETE FROM intervals WHERE connection = ? AND id <= ?", (connection, last_old))

    def _write_fills(self, news: FillNews) -> None:
        self._db.executemany(_SET_FILL, map(fill_row, news.fills))
        self._db.executemany(_SET_COST, map(astuple, news.costs))
        self._db.executemany(_SET_PLAN, news.plans)
        self._db.executemany(_SET_TOTAL, map(astuple, news.totals))
        self._db.executemany(_SET_TOLD, map(told_row, news.told))
        self._db.executemany(_FORGET_TOLD, ((worker,) for worker in news.forgotten))
        if any(not fill.is_open for fill in news.fills):
            self._db.execute(_DROP_PLANS, OPEN_STATES)

    def _add_entry(self, entry: Entry) -> None:
        if self._db.execute(_ADD_ENTRY, entry_row(entry)).rowcount:
            self._db.execute(_ADD_SECONDS, (entry.connection, entry.kind, entry.cause or "", entry.seconds))

    def _place(self, placement: Placement) -> None:
        place, at = placement.place, placement.at
        if placement.before is None:
            before = {key for (key,) in self._db.execute(_KEYS_IN, (place,))}
            now = {rule.key: rule.rule_id for rule in placement.rules}
        else:  # of a rule with other content both have the key
            changed = turnover(placement.before, placement.rules)
            before = {rule.key for rule in changed.left}
            now = {rule.key: rule.rule_id for rule in changed.joined}
        joined = now.keys() - before
        self._db.executemany(_LEAVE, ((at, place, key) for key in before - now.keys()))
        self._db.executemany(_ADD_RULE, ((key, now[key]) for key in joined))
        self._db.executemany(_JOIN, ((place, at, key) for key in joined))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors, and values that it cannot store, into a sentence for the operator."""
        try:
            yield
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> TraptorError:
        what = f"{self._path}: the gap ledger cannot be used: {error}"
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return TraptorError(f"{what}; another program holds it, `fuser -v` with this path names it")
        return TraptorError(
            f"{what}; check that state_dir exists, is writable and has room; if the file is damaged, move it"
            " away (its record of gaps ends, a new one begins)"
        )
