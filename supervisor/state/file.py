"""The file `state_dir/state.db`: opened, migrated, written on a full disk too; its errors are sentences."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from traptor.common.errors import TraptorError
from traptor.supervisor.state.database import Migrations, migrate, refuse_link, says_full, transaction
from traptor.supervisor.state.reserve import Reserve

_T = TypeVar("_T")
_MIGRATIONS: Migrations = (
    (
        "CREATE TABLE generations (connection TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE keys (id INTEGER PRIMARY KEY CHECK (id = 1), dump TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE apps (key_id TEXT NOT NULL, what TEXT NOT NULL, dump TEXT NOT NULL,"
        " PRIMARY KEY (key_id, what)) WITHOUT ROWID",
    ),
    ("CREATE TABLE stops (connection TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID",),
    (
        "CREATE TABLE app_pieces (key_id TEXT NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL,"
        " piece TEXT NOT NULL, PRIMARY KEY (key_id, what, name)) WITHOUT ROWID",
        "DELETE FROM apps WHERE what = 'standing'",  # it is kept in pieces now, and learnt anew
    ),
    ("CREATE TABLE gone_keys (key_id TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID",),
    (
        "CREATE TABLE changed_keys (key_id TEXT PRIMARY KEY, saved_at REAL NOT NULL, record TEXT NOT NULL)"
        " WITHOUT ROWID",
    ),
)
_LOG_PAGES = 100
_LOCK_TIMEOUT_S = 1.0  # the event loop waits too; only an operator's sqlite3 shell can hold the lock


class StateFile:
    """The open file; what was written is on disk when a method returns. Its methods raise TraptorError."""

    def __init__(self, path: Path, reserve: Reserve | None = None) -> None:
        """Open it; if the disk is full, `reserve` is given up."""
        self._path = path
        self._give_up = reserve.give_up if reserve is not None else lambda: False
        with self.explained():
            refuse_link(path)
            self._db = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
        try:
            with self.explained():
                self._prepare()
        except TraptorError:
            self._db.close()
            raise

    def explained(self) -> AbstractContextManager[None]:
        """Turn errors of SQLite's kind, raised in the block, into a sentence for the operator."""
        return explained(self._path)

    def rows(self, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
        """Return what a query finds."""
        with self.explained():
            return self._db.execute(statement, values).fetchall()

    def write(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        """Carry out a statement, and return its rows, if it has any."""
        with self.explained():
            return self._with_room(lambda: self._db.execute(statement, values).fetchall())

    def write_all(self, *writes: tuple[str, Iterable[tuple[object, ...]]]) -> None:
        """Carry out statements, each for all its rows, together or not at all."""
        lists = [(statement, list(rows)) for statement, rows in writes]
        with self.explained():
            self._with_room(lambda: self._write_all(lists))

    def close(self, last: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Carry out a last statement for these rows, if that is possible, and close the file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.executemany(last, rows)
        self._db.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        # The log's space is reused: with a log this small, it stops growing after a while.
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        # FULL and not NORMAL: with NORMAL a power cut may undo the last commits, and a generation's number
        # would be used twice. The sync costs 0.15 ms (median; 0.4 ms at the 99th percentile) instead of 0.013
        # ms, and more when the disk is busy.
        self._db.execute("PRAGMA synchronous = FULL")
        migrate(self._db, self._path, _MIGRATIONS)

    def _with_room(self, write: Callable[[], _T]) -> _T:
        """Write; on a full disk retry with the space of the log's old pages, then with the reserve's."""
        for make_room in (self._use_log_again, self._give_up):
            try:
                return write()
            except sqlite3.OperationalError as error:
                if not says_full(error) or not make_room():
                    raise
        return write()

    def _write_all(self, writes: Iterable[tuple[str, Iterable[tuple[object, ...]]]]) -> None:
        with transaction(self._db):
            for statement, rows in writes:
                self._db.executemany(statement, rows)

    def _use_log_again(self) -> bool:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")
        return True


def rows_read_only(path: Path, statement: str) -> list[Any]:
    """Return what a query finds in a file that another process may use. Raises TraptorError."""
    with explained(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_TIMEOUT_S)
        with contextlib.closing(db):
            return db.execute(statement).fetchall()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a sentence for the operator."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            what = f"{path}: the state file cannot be used: {error}"
            raise TraptorError(
                f"{what}; another program holds it, `fuser -v` with this path names it"
            ) from error
        raise _broken(path, str(error)) from error
    except UnicodeDecodeError:  # raised even for a file's schema
        raise _broken(path, "a text in it is not UTF-8") from None


def _broken(path: Path, what: str) -> TraptorError:
    return TraptorError(
        f"{path}: the state file cannot be used: {what}; check that state_dir exists, is writable"
        " and has room; if it is damaged, move it away (generation numbers and key budgets start anew)"
    )
