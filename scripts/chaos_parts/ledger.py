"""Read the supervisors' gap ledger from its file, after the last of them has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from chaos_parts.timeline import Entry, Kind
from traptor.supervisor.ledger.disk.reader import NO_ID, LedgerReader
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import NOTHING
from traptor.supervisor.ledger.records import Entry as StoredEntry


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """All intervals, including open ones, up to the last second that the ledger covers."""

    entries: tuple[Entry, ...]
    until: float


def read_ledger(path: Path, wall_to_mono: float) -> LedgerRecord:
    """Return the content of a `ledger.db`, in monotonic seconds. Raises TraptorError when unreadable."""
    with closing(LedgerReader(path)) as reader:
        stored = reader.stored()
        if stored is None:
            return LedgerRecord((), 0.0)
        completed = [entry for page in reader.entries(NO_ID, Period()) for entry in page]
        open_ = [StoredEntry.of(a.open_interval(stored.noted), NOTHING, 0) for a in stored.accounts]
    entries = tuple(_timed([*completed, *open_], wall_to_mono))
    return LedgerRecord(entries, stored.noted.wall + wall_to_mono)


def _timed(stored: list[StoredEntry], wall_to_mono: float) -> Iterator[Entry]:
    for entry in stored:
        since, until = entry.from_unix + wall_to_mono, entry.to_unix + wall_to_mono
        assert entry.connection is not None
        yield Entry(entry.connection, Kind(entry.kind), entry.cause or "", since, until, entry.seconds)
