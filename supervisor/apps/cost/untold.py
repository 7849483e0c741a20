"""What workers of an app had read when they, or their master, were killed: read from their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from traptor.common.files.reads import Kept, all_kept, connections, kept, remove_kept
from traptor.supervisor.money.reads import Reads, reads_of
from traptor.supervisor.workers.leftovers import app_connection


class Untold(NamedTuple):
    """All that one worker read, told or not, and when it last read (Unix time)."""

    worker: str
    total: Reads
    at: float


class UntoldReads:
    """Finds what the workers of one app left."""

    def __init__(self, state_dir: Path, key_name: str) -> None:
        self._state_dir = state_dir
        self._connection = app_connection(key_name)

    def of(self, worker: str) -> Untold | None:
        """Return what one worker left, or None."""
        found = kept(self._state_dir, *_parts(worker))
        return None if found is None else _untold(worker, found)

    def __iter__(self) -> Iterator[Untold]:
        """Yield what all workers left."""
        for connection in connections(self._state_dir):
            if connection.partition(".")[0] == self._connection:  # it may have a second connection
                for generation, found in all_kept(self._state_dir, connection):
                    yield _untold(f"{connection}#{generation}", found)

    def remove(self, worker: str) -> None:
        """Remove what one worker left, once it is counted."""
        remove_kept(self._state_dir, *_parts(worker))


def _untold(worker: str, found: Kept) -> Untold:
    return Untold(worker, reads_of(found.counts), found.at)


def _parts(worker: str) -> tuple[str, int]:
    """Return the connection and the generation of a worker's name."""
    connection, _, generation = worker.rpartition("#")
    return connection, int(generation)
