"""The master's state across its own restarts: one SQLite file in state_dir."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson

from traptor.common.errors import TraptorError
from traptor.supervisor.state.database import (
    Migrations,
    migrate,
    refuse_link,
    says_full,
    transaction,
    whole_number,
)
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
)
# Reserved together, so that only one restart in eight waits for the disk. The next master skips what is left
# when this one dies.
_NUMBERS_AT_ONCE = 8
_RESERVE = """
    INSERT INTO generations (connection, last) VALUES (?, ?)
    ON CONFLICT (connection) DO UPDATE SET last = last + excluded.last RETURNING last"""
_GIVE_BACK = "UPDATE generations SET last = ? WHERE connection = ?"
_SAVE_KEYS = "INSERT INTO keys (id, dump) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET dump = excluded.dump"
_SAVE_APP = """
    INSERT INTO apps (key_id, what, dump) VALUES (?, ?, ?)
    ON CONFLICT (key_id, what) DO UPDATE SET dump = excluded.dump"""
_LOAD_APP = "SELECT dump FROM apps WHERE key_id = ? AND what = ?"
_SAVE_PIECE = """
    INSERT INTO app_pieces (key_id, what, name, piece) VALUES (?, ?, ?, ?)
    ON CONFLICT (key_id, what, name) DO UPDATE SET piece = excluded.piece"""
_DROP_PIECE = "DELETE FROM app_pieces WHERE key_id = ? AND what = ? AND name = ?"
_LOAD_PIECES = "SELECT name, piece FROM app_pieces WHERE key_id = ? AND what = ?"
_FORGET_PIECES = "DELETE FROM app_pieces WHERE key_id = ? AND what = ?"
_KEYS_OF_APPS = "SELECT key_id FROM apps UNION SELECT key_id FROM app_pieces"
_NOTE_GONE = "INSERT INTO gone_keys (key_id, since) VALUES (?, ?)"
_FORGET_KEY = (
    "DELETE FROM apps WHERE key_id = ?",
    "DELETE FROM app_pieces WHERE key_id = ?",
    "DELETE FROM gone_keys WHERE key_id = ?",
)
_SAVE_STOP = "INSERT INTO stops (connection, since) VALUES (?, ?) ON CONFLICT DO NOTHING"
_FORGET_STOP = "DELETE FROM stops WHERE connection = ?"
_LOG_PAGES = 100
_LOCK_TIMEOUT_S = 1.0  # the event loop waits too; only an operator's sqlite3 shell can hold the lock


class StateStore:
    """The state of one supervisor; every write is on disk when its method returns.

    One process uses it, the one that holds state_dir's lock; others may read the file. Every method raises
    TraptorError when the file cannot be used.
    """

    def __init__(self, path: Path, reserve: Reserve | None = None) -> None:
        """Open it; if the disk is full, `reserve` is given up."""
        self._path = path
        self._give_up = reserve.give_up if reserve is not None else lambda: False
        self._reserved: dict[str, range] = {}  # numbers of a connection not yet given to a generation
        with self._explained():
            refuse_link(path)
            self._db = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
        try:
            with self._explained():
                self._prepare()
        except TraptorError:
            self._db.close()
            raise

    def next_generation(self, connection: str) -> int:
        """Return the number of the connection's next generation: numbers count up and are never reused."""
        numbers = self._reserved.get(connection) or self._reserve(connection)
        self._reserved[connection] = numbers[1:]
        return numbers[0]

    def _reserve(self, connection: str) -> range:
        with self._explained():
            (last,) = self._written(_RESERVE, (connection, _NUMBERS_AT_ONCE))[0]
            last = whole_number(last)
        return range(last - _NUMBERS_AT_ONCE + 1, last + 1)

    def save_keys(self, dump: dict[str, Any]) -> None:
        """Save the result of KeyPool.dump in place of the previous one."""
        with self._explained():
            self._written(_SAVE_KEYS, (orjson.dumps(dump).decode(),))

    def load_keys(self) -> dict[str, Any] | None:
        """Return what was saved last, or None."""
        with self._explained():
            return _read_keys(self._db)

    def save_app(self, key_id: str, what: str, dump: dict[str, Any]) -> None:
        """Save one kind of knowledge about an app at X in place of the previous one."""
        with self._explained():
            self._written(_SAVE_APP, (key_id, what, orjson.dumps(dump).decode()))

    def load_app(self, key_id: str, what: str) -> dict[str, Any] | None:
        """Return what was saved last of this kind, or None."""
        with self._explained():
            row = self._db.execute(_LOAD_APP, (key_id, what)).fetchone()
            return None if row is None else _decoded(row[0], f"the facts on the app {key_id} in it")

    def save_pieces(self, key_id: str, what: str, pieces: dict[str, Any]) -> None:
        """Save pieces of one kind of knowledge about an app by name, all or none; None removes one."""
        saved = [
            (key_id, what, name, orjson.dumps(one).decode())
            for name, one in pieces.items()
            if one is not None
        ]
        dropped = [(key_id, what, name) for name, one in pieces.items() if one is None]
        with self._explained():
            self._with_room(lambda: self._write_all((_SAVE_PIECE, saved), (_DROP_PIECE, dropped)))

    def load_pieces(self, key_id: str, what: str) -> dict[str, Any]:
        """Return all pieces of this kind by name."""
        with self._explained():
            rows = self._db.execute(_LOAD_PIECES, (key_id, what)).fetchall()
            pieces = "{" + ",".join(f"{orjson.dumps(name).decode()}:{piece}" for name, piece in rows) + "}"
            return _decoded(pieces, f"the {what} of the app {key_id} in it")

    def forget_pieces(self, key_id: str, what: str) -> None:
        """Remove all pieces of this kind."""
        with self._explained():
            self._written(_FORGET_PIECES, (key_id, what))

    def note_gone(self, known: Container[str], recorded: Iterable[str], since: float) -> Mapping[str, float]:
        """Return since when (Unix time) keys are gone of which something is kept, here or as `recorded`.

        Those that are not `known`, and were until now, are gone from `since` on.
        """
        with self._explained():
            gone = {str(key_id): float(at) for key_id, at in self._db.execute("SELECT * FROM gone_keys")}
            back = {key_id for key_id in gone if key_id in known}
            kept = {*recorded, *(str(key_id) for (key_id,) in self._db.execute(_KEYS_OF_APPS))}
            new = {key_id: since for key_id in kept if key_id not in known and key_id not in gone}
            if back or new:
                self._with_room(
                    lambda: self._write_all(
                        (_NOTE_GONE, new.items()),
                        (_FORGET_KEY[-1], [(key_id,) for key_id in back]),
                    )
                )
            return {key_id: at for key_id, at in (gone | new).items() if key_id not in back}

    def forget_keys(self, key_ids: Iterable[str]) -> None:
        """Remove all that is kept of the apps of these keys, and that they are gone."""
        rows = [(key_id,) for key_id in key_ids]
        with self._explained():
            self._with_room(lambda: self._write_all(*((statement, rows) for statement in _FORGET_KEY)))

    def save_stop(self, connection: str, since: float) -> None:
        """Keep that the operator stopped a connection at `since` (Unix time)."""
        with self._explained():
            self._written(_SAVE_STOP, (connection, since))

    def forget_stop(self, connection: str) -> None:
        """Forget it: the operator started the connection again."""
        with self._explained():
            self._written(_FORGET_STOP, (connection,))

    def load_stops(self) -> dict[str, float]:
        """Return the stopped connections, and since when (Unix time)."""
        with self._explained():
            return {str(name): float(since) for name, since in self._db.execute("SELECT * FROM stops")}

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        unused = [(numbers[0] - 1, name) for name, numbers in self._reserved.items() if numbers]
        with contextlib.suppress(sqlite3.Error):  # if that fails, the numbers are skipped
            self._db.executemany(_GIVE_BACK, unused)
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        # The log's space is reused: with a log this small, it stops growing after a while.
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        # FULL and not NORMAL: with NORMAL a power cut may undo the last commits, and a generation's number
        # would be used twice. The sync costs 0.15 ms (median; 0.4 ms at the 99th percentile) instead of 0.013
        # ms, and more when the disk is busy.
        self._db.execute("PRAGMA synchronous = FULL")
        migrate(self._db, self._path, _MIGRATIONS)

    def _written(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        return self._with_room(lambda: self._db.execute(statement, values).fetchall())

    def _with_room(self, write: Callable[[], _T]) -> _T:
        """Write; on a full disk retry with the space of the log's old pages, then with the reserve's."""
        for make_room in (self._use_log_again, self._give_up):
            try:
                return write()
            except sqlite3.OperationalError as error:
                if not says_full(error) or not make_room():
                    raise
        return write()

    def _write_all(self, *writes: tuple[str, Iterable[tuple[object, ...]]]) -> None:
        """Carry out statements, each for all its rows, together or not at all."""
        with transaction(self._db):
            for statement, rows in writes:
                self._db.executemany(statement, rows)

    def _use_log_again(self) -> bool:
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")
        return True

    def _explained(self) -> AbstractContextManager[None]:
        return _explained(self._path)


def kept_keys(path: Path) -> dict[str, Any] | None:
    """Return what a supervisor saved of its keys, whether or not it runs; None when there is no such file.

    Writes nothing. Raises TraptorError when the file cannot be used.
    """
    if not path.exists():
        return None
    with _explained(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_TIMEOUT_S)
        with contextlib.closing(db):
            return _read_keys(db)


def _read_keys(db: sqlite3.Connection) -> dict[str, Any] | None:
    row = db.execute("SELECT dump FROM keys").fetchone()
    return None if row is None else _decoded(row[0], "the key states in it")


def _decoded(text: Any, what: str) -> dict[str, Any]:
    try:
        dump = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise sqlite3.DataError(f"{what} are not JSON") from None
    if not isinstance(dump, dict):
        raise sqlite3.DataError(f"{what} are not a JSON object")
    return dump


@contextmanager
def _explained(path: Path) -> Iterator[None]:
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
