"""Measure what it costs to keep a message until it is delivered, by store: the table of decision 0006.

Each store gets batches of messages and removes each batch three batches later, as an outbox does while its
output keeps up. Everything runs in one process and in turns, so that a drift of the machine affects all
alike.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import click
import lmdb
import msgspec
from rich.table import Table

from traptor.common.terminal import report_console
from traptor.worker.outbox.message import Outgoing

_BODY_BYTES = 4_200
_BATCH_SIZES = (250, 10)
_BEHIND = 3  # batches
_MAP_BYTES = 1 << 30
_MAKE = "CREATE TABLE kept (number INTEGER PRIMARY KEY, value BLOB)"

encode = msgspec.msgpack.Encoder().encode
Messages = list[Outgoing]


class Store(Protocol):
    """Keeps batches."""

    def put(self, batch: Messages) -> object:
        """Store a batch, committed, and return a handle for `remove`."""

    def remove(self, kept: object) -> None:
        """Remove the batch, committed."""


class EncodeOnly:
    """The floor: what has to be done for every store."""

    def __init__(self, _folder: Path) -> None:
        pass

    def put(self, batch: Messages) -> object:
        """Encode it as one value."""
        return encode(batch)

    def remove(self, kept: object) -> None:
        """Do nothing: there is nothing to remove."""


class Sqlite:
    """SQLite in WAL mode, with a row for each value."""

    def __init__(self, folder: Path, synchronous: str, *, whole: bool) -> None:
        self._database = sqlite3.connect(folder / "store.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(f"PRAGMA synchronous = {synchronous}")
        self._database.execute(_MAKE)
        self._whole = whole
        self._last = 0

    def put(self, batch: Messages) -> object:
        """Insert in one transaction."""
        rows = list(zip(itertools.count(self._last + 1), _values(batch, self._whole), strict=False))
        self._last = rows[-1][0]
        with self._transaction():
            self._database.executemany("INSERT INTO kept VALUES (?, ?)", rows)
        return rows[0][0], self._last

    def remove(self, kept: object) -> None:
        """Delete in one transaction."""
        with self._transaction():
            self._database.execute("DELETE FROM kept WHERE number BETWEEN ? AND ?", kept)  # type: ignore[arg-type]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN")
        yield
        self._database.execute("COMMIT")


class Lmdb:
    """LMDB with a value for each message, or one for the batch."""

    def __init__(self, folder: Path, *, whole: bool, writemap: bool = False, synced: bool = False) -> None:
        self._environment = lmdb.open(
            str(folder),
            map_size=_MAP_BYTES,
            writemap=writemap,
            sync=synced,
            metasync=synced,
            lock=False,
            readahead=False,
        )
        self._whole = whole
        self._last = 0

    def put(self, batch: Messages) -> object:
        """Insert in one transaction."""
        first = self._last + 1
        with self._environment.begin(write=True) as transaction:
            for value in _values(batch, self._whole):
                self._last += 1
                transaction.put(_key(self._last), value, append=True)
        return range(first, self._last + 1)

    def remove(self, kept: object) -> None:
        """Delete in one transaction."""
        assert isinstance(kept, range)
        with self._environment.begin(write=True) as transaction:
            for number in kept:
                transaction.delete(_key(number))


def _values(batch: Messages, whole: bool) -> list[bytes]:
    return [encode(batch)] if whole else [encode(message) for message in batch]


def _key(number: int) -> bytes:
    return number.to_bytes(8, "big")


STORES: dict[str, Callable[[Path], Store]] = {
    "encode only": EncodeOnly,
    "SQLite WAL, a row per message, synchronous OFF": lambda at: Sqlite(at, "OFF", whole=False),
    "SQLite WAL, a row per batch, synchronous OFF": lambda at: Sqlite(at, "OFF", whole=True),
    "SQLite WAL, a row per batch, synchronous FULL": lambda at: Sqlite(at, "FULL", whole=True),
    "LMDB, a value per message": lambda at: Lmdb(at, whole=False),
    "LMDB, a value per message, writemap": lambda at: Lmdb(at, whole=False, writemap=True),
    "LMDB, a value per batch": lambda at: Lmdb(at, whole=True),
    "LMDB, a value per batch, writemap": lambda at: Lmdb(at, whole=True, writemap=True),
    "LMDB, a value per batch, synced": lambda at: Lmdb(at, whole=True, synced=True),
}


class Cost(NamedTuple):
    """Microseconds per message."""

    cpu_us: float
    wall_us: float


def measure(make: Callable[[Path], Store], folder: Path, size: int, batches: int) -> Cost:
    """Return the cost in a new folder, which is removed again."""
    folder.mkdir()
    store = make(folder)
    batch = [
        Outgoing(body=b"x" * _BODY_BYTES, tweet_id=str(number), rule_ids=("17",)) for number in range(size)
    ]
    kept: deque[object] = deque()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(batches):
        kept.append(store.put(batch))
        if len(kept) > _BEHIND:
            store.remove(kept.popleft())
    spent = Cost(time.process_time() - cpu, time.perf_counter() - wall)
    shutil.rmtree(folder)
    return Cost(*(seconds / (size * batches) * 1e6 for seconds in spent))


def costs(messages: int, rounds: int, folder: Path) -> dict[tuple[str, int], Cost]:
    """Return the median of the rounds for each store and size of batch; a warm-up round is not counted."""
    measured: dict[tuple[str, int], list[Cost]] = {}
    for number, size, (name, make) in itertools.product(range(rounds + 1), _BATCH_SIZES, STORES.items()):
        cost = measure(make, folder / "store", size, max(messages // size, 2 * _BEHIND))
        if number:
            measured.setdefault((name, size), []).append(cost)
    return {
        about: Cost(*(statistics.median(one) for one in zip(*found, strict=True)))
        for about, found in measured.items()
    }


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--messages", default=20_000, help="In one round, for each store and size of batch.")
@click.option("--rounds", default=3, help="Of which the median is shown.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="On the disk to be measured."
)
def main(messages: int, rounds: int, folder: Path | None) -> None:
    """Measure stores for the outbox: microseconds for each message, CPU and wall."""
    with tempfile.TemporaryDirectory(prefix="traptor-stores-", dir=folder) as place:
        found = costs(messages, rounds, Path(place))
    table = Table(title=f"us a message of {_BODY_BYTES:,} bytes, each batch removed {_BEHIND} later")
    table.add_column("store", no_wrap=True)
    for size in _BATCH_SIZES:
        table.add_column(f"CPU, {size} a batch", justify="right")
        table.add_column(f"wall, {size} a batch", justify="right")
    for name in STORES:
        cells = [f"{figure:.1f}" for size in _BATCH_SIZES for figure in found[name, size]]
        table.add_row(name, *cells)
    report_console().print(table)


if __name__ == "__main__":
    main()
