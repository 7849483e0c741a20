"""The master's state across its own restarts: one SQLite file in state_dir."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import orjson

from traptor.supervisor.state.database import whole_number
from traptor.supervisor.state.file import StateFile, explained, rows_read_only
from traptor.supervisor.state.reserve import Reserve

# Reserved together, so that only one restart in eight waits for the disk. The next master skips what is left
# when this one dies.
_NUMBERS_AT_ONCE = 8
_CONNECTIONS_AT_ONCE = 100
_RESERVE = """
    INSERT INTO generations (connection, last) VALUES {}
    ON CONFLICT (connection) DO UPDATE SET last = last + excluded.last RETURNING connection, last"""
_GIVE_BACK = "UPDATE generations SET last = ? WHERE connection = ?"
_SAVE_KEYS = "INSERT INTO keys (id, dump) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET dump = excluded.dump"
_SAVE_CHANGED_KEY = """
    INSERT INTO changed_keys (key_id, saved_at, record) VALUES (?, ?, ?)
    ON CONFLICT (key_id) DO UPDATE SET saved_at = excluded.saved_at, record = excluded.record"""
_FORGET_CHANGED_KEYS = "DELETE FROM changed_keys"
_LOAD_KEYS = "SELECT NULL, NULL, dump FROM keys"
# one statement, for a reader beside the master: it must not see the one without the other
_LOAD_ALL_OF_KEYS = """
    SELECT NULL, NULL, dump FROM keys UNION ALL SELECT key_id, saved_at, record FROM changed_keys"""
_HAS_CHANGED_KEYS = "SELECT 1 FROM sqlite_master WHERE name = 'changed_keys'"
_SAVE_APP = """
    INSERT INTO apps (key_id, what, dump) VALUES (?, ?, ?)
    ON CONFLICT (key_id, what) DO UPDATE SET dump = excluded.dump"""
_LOAD_APP = "SELECT dump FROM apps WHERE key_id = ? AND what = ?"
_SAVE_PIECE = """
    INSERT INTO app_pieces (key_id, what, name, piece) VALUES (?, ?, ?, ?)
    ON CONFLICT (key_id, what, name) DO UPDATE SET piece = excluded.piece"""
_DROP_PIECE = "DELETE FROM app_pieces WHERE key_id = ? AND what = ? AND name = ?"
_LOAD_PIECES = "SELECT name, piece FROM app_pieces WHERE key_id = ? AND what = ?"
_LOAD_STANDING = "SELECT key_id, name, piece FROM app_pieces WHERE what = 'standing'"
_HAS_PIECES = "SELECT 1 FROM sqlite_master WHERE name = 'app_pieces'"
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


class StateStore:
    """The state of one supervisor; every write is on disk when its method returns.

    One process uses it, the one that holds state_dir's lock; others may read the file. Every method raises
    TraptorError when the file cannot be used.
    """

    def __init__(self, path: Path, reserve: Reserve | None = None) -> None:
        """Open it; if the disk is full, `reserve` is given up."""
        self._file = StateFile(path, reserve)
        self._reserved: dict[str, range] = {}  # numbers of a connection not yet given to a generation
        self._kept_keys: dict[str, Any] | None = None  # as saved last; None: not by this master
        self._kept_at = 0.0  # when that was (Unix time)

    def next_generation(self, connection: str, soon: Iterable[str] = ()) -> int:
        """Return the number of the connection's next generation: numbers count up and are never reused.

        Where that has to wait for the disk, numbers are reserved also for connections that need one `soon`.
        """
        if not self._reserved.get(connection):
            others = (name for name in soon if name != connection and not self._reserved.get(name))
            self._reserve([connection, *islice(others, _CONNECTIONS_AT_ONCE - 1)])
        numbers = self._reserved[connection]
        self._reserved[connection] = numbers[1:]
        return numbers[0]

    def _reserve(self, connections: Sequence[str]) -> None:
        statement = _RESERVE.format(", ".join(["(?, ?)"] * len(connections)))
        values = tuple(chain.from_iterable((name, _NUMBERS_AT_ONCE) for name in connections))
        with self._file.explained():
            for name, last in self._file.write(statement, values):
                last = whole_number(last)
                self._reserved[name] = range(last - _NUMBERS_AT_ONCE + 1, last + 1)

    def save_keys(self, dump: dict[str, Any]) -> None:
        """Save the result of KeyPool.dump.

        Of one after another only the records that changed are written: those that are not the same objects.
        All are written when the clock was set back: the latest time in the file is taken for that of all.
        """
        records: dict[str, Any] = dump["keys"]
        before = self._kept_keys
        if before is None or dump["saved_at"] < self._kept_at or not before.keys() <= records.keys():
            whole = [(orjson.dumps(dump).decode(),)]
            self._file.write_all((_SAVE_KEYS, whole), (_FORGET_CHANGED_KEYS, [()]))
        else:
            changed = [(key_id, one) for key_id, one in records.items() if before.get(key_id) is not one]
            at = dump["saved_at"]
            rows = [(key_id, at, orjson.dumps(one).decode()) for key_id, one in changed]
            self._file.write_all((_SAVE_CHANGED_KEY, rows))
        self._kept_keys, self._kept_at = records, dump["saved_at"]

    def load_keys(self) -> dict[str, Any] | None:
        """Return what was saved last, or None."""
        with self._file.explained():
            return _decoded_keys(self._file.rows(_LOAD_ALL_OF_KEYS))

    def save_app(self, key_id: str, what: str, dump: dict[str, Any]) -> None:
        """Save one kind of knowledge about an app at X in place of the previous one."""
        self._file.write(_SAVE_APP, (key_id, what, orjson.dumps(dump).decode()))

    def load_app(self, key_id: str, what: str) -> dict[str, Any] | None:
        """Return what was saved last of this kind, or None."""
        with self._file.explained():
            rows = self._file.rows(_LOAD_APP, (key_id, what))
            return _decoded(rows[0][0], f"the facts on the app {key_id} in it") if rows else None

    def save_pieces(self, key_id: str, what: str, pieces: dict[str, Any]) -> None:
        """Save pieces of one kind of knowledge about an app by name, all or none; None removes one."""
        saved = [
            (key_id, what, name, orjson.dumps(one).decode())
            for name, one in pieces.items()
            if one is not None
        ]
        dropped = [(key_id, what, name) for name, one in pieces.items() if one is None]
        self._file.write_all((_SAVE_PIECE, saved), (_DROP_PIECE, dropped))

    def load_pieces(self, key_id: str, what: str) -> dict[str, Any]:
        """Return all pieces of this kind by name."""
        with self._file.explained():
            rows = self._file.rows(_LOAD_PIECES, (key_id, what))
            pieces = "{" + ",".join(f"{orjson.dumps(name).decode()}:{piece}" for name, piece in rows) + "}"
            return _decoded(pieces, f"the {what} of the app {key_id} in it")

    def forget_pieces(self, key_id: str, what: str) -> None:
        """Remove all pieces of this kind."""
        self._file.write(_FORGET_PIECES, (key_id, what))

    def note_gone(self, known: Container[str], recorded: Iterable[str], since: float) -> Mapping[str, float]:
        """Return since when (Unix time) keys are gone of which something is kept, here or as `recorded`.

        Those that are not `known`, and were until now, are gone from `since` on.
        """
        gone = {str(key_id): float(at) for key_id, at in self._file.rows("SELECT * FROM gone_keys")}
        back = {key_id for key_id in gone if key_id in known}
        kept = {*recorded, *(str(key_id) for (key_id,) in self._file.rows(_KEYS_OF_APPS))}
        new = {key_id: since for key_id in kept if key_id not in known and key_id not in gone}
        if back or new:
            self._file.write_all((_NOTE_GONE, new.items()), (_FORGET_KEY[-1], [(key_id,) for key_id in back]))
        return {key_id: at for key_id, at in (gone | new).items() if key_id not in back}

    def forget_keys(self, key_ids: Iterable[str]) -> None:
        """Remove all that is kept of the apps of these keys, and that they are gone."""
        rows = [(key_id,) for key_id in key_ids]
        self._file.write_all(*((statement, rows) for statement in _FORGET_KEY))

    def save_stop(self, connection: str, since: float) -> None:
        """Keep that the operator stopped a connection at `since` (Unix time)."""
        self._file.write(_SAVE_STOP, (connection, since))

    def forget_stop(self, connection: str) -> None:
        """Forget it: the operator started the connection again."""
        self._file.write(_FORGET_STOP, (connection,))

    def load_stops(self) -> dict[str, float]:
        """Return the stopped connections, and since when (Unix time)."""
        return {str(name): float(since) for name, since in self._file.rows("SELECT * FROM stops")}

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        # If the unused numbers cannot be given back, they are skipped.
        unused = [(numbers[0] - 1, name) for name, numbers in self._reserved.items() if numbers]
        self._file.close(_GIVE_BACK, unused)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def kept_keys(path: Path) -> dict[str, Any] | None:
    """Return what a supervisor saved of its keys, whether or not it runs; None when there is no such file.

    Writes nothing. Raises TraptorError when the file cannot be used.
    """
    if not path.exists():
        return None
    with explained(path):
        is_of_now = bool(rows_read_only(path, _HAS_CHANGED_KEYS))  # else an older version wrote it
        return _decoded_keys(rows_read_only(path, _LOAD_ALL_OF_KEYS if is_of_now else _LOAD_KEYS))


def kept_standing(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a supervisor saved of the filters in each app, by key_id, whether or not it runs.

    Writes nothing. Raises TraptorError when the file cannot be used.
    """
    found: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return found
    with explained(path):
        if rows_read_only(path, _HAS_PIECES):  # else an older version wrote it
            for key_id, name, piece in rows_read_only(path, _LOAD_STANDING):
                found.setdefault(key_id, {})[name] = orjson.loads(piece)
    return found


def _decoded_keys(rows: list[Any]) -> dict[str, Any] | None:
    """Return the records that were saved together, with those that changed since."""
    if not rows:
        return None
    what = "the key states in it"
    (_, _, whole), *changed = rows
    dump = _decoded(whole, what)
    if changed:
        records, times = dump.get("keys"), [dump.get("saved_at"), *(at for _, at, _ in changed)]
        if not isinstance(records, dict) or not all(isinstance(at, int | float) for at in times):
            raise sqlite3.DataError(f"{what} are not records with times")
        dump["saved_at"] = max(times)
        dump["keys"] = records | {str(key_id): _decoded(one, what) for key_id, _, one in changed}
    return dump


def _decoded(text: Any, what: str) -> dict[str, Any]:
    try:
        dump = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise sqlite3.DataError(f"{what} are not JSON") from None
    if not isinstance(dump, dict):
        raise sqlite3.DataError(f"{what} are not a JSON object")
    return dump
