"""SQLite files in state_dir: migrated to this version's schema, refused when a newer version wrote them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from traptor.common.errors import TraptorError
from traptor.common.files import opening

# Each entry upgrades a file from the version of its index to the next.
Migrations = Sequence[Sequence[str]]


def refuse_link(path: Path) -> None:
    """Raise sqlite3.OperationalError when the path is a link: SQLite would follow it."""
    try:
        opening.refuse_link(path)
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror) from None


def migrate(db: sqlite3.Connection, path: Path, migrations: Migrations) -> None:
    """Bring the file to the newest schema, each step completely or not at all.

    Raises sqlite3.Error, and TraptorError when a newer version of Traptor wrote it.
    """
    version = _version(db)
    if version > len(migrations):
        raise TraptorError(
            f"{path}: written by a newer version of Traptor (schema {version}, this one knows"
            f" {len(migrations)}); start that version, or give another state_dir"
        )
    for step in range(version, len(migrations)):
        _take_step(db, migrations[step], step + 1)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Have all that is written inside the block written, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    # A table is easier to find for a person with a sqlite3 shell than `PRAGMA user_version`.
    db.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    (version,) = db.execute("SELECT max(version) FROM schema_version").fetchone()
    return whole_number(version or 0)


def says_full(error: sqlite3.Error) -> bool:
    """Tell whether a full disk may be the cause: SQLite reports a partial write as IOERR."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def whole_number(value: object) -> int:
    """Return a number from a column, which in SQLite may hold any type. Raises sqlite3.Error."""
    if not isinstance(value, int) or value < 0:
        raise sqlite3.DataError("expected a non-negative integer")
    return value


def _take_step(db: sqlite3.Connection, statements: Sequence[str], version: int) -> None:
    with transaction(db):
        for statement in statements:
            db.execute(statement)
        db.execute("INSERT INTO schema_version (version) VALUES (?)", (version,))
