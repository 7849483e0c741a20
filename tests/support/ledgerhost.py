"""A host with its clocks, on which one master after the other keeps a ledger; without processes."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from traptor.supervisor.gaps.interval import GapCause, Instant
from traptor.supervisor.ledger.book import Ledger
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.records import Entry

WALL = 1_790_000_000.0


@dataclass
class Host:
    """A host with its clocks, and one master after the other on it."""

    folder: Path
    true_s: float = 1000.0
    booted_at: float = 0.0
    boot: int = 1
    jumped_s: float = 0.0  # of the wall clock
    noted: tuple[float, float] = (0.0, 0.0)  # true time and jumps, when the ledger was last written
    misled_s: float = 0.0  # by jumps of the wall clock of which a reboot hid the truth
    connections: dict[str, Any] = field(default_factory=dict)
    generations: Iterator[int] = field(default_factory=itertools.count)
    told: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin()

    @property
    def now(self) -> Instant:
        return Instant(WALL + self.true_s + self.jumped_s, self.true_s - self.booted_at)

    def begin(self) -> None:
        """A master starts."""
        self.connections.clear()
        self.store = LedgerStore(self.folder / "ledger.db")
        self.ledger = Ledger(
            self.connections,
            self.store.load(),
            self.folder / "outbox",
            f"boot {self.boot}",
            self.now,
            self.told.append,
            lambda: None,
        )
        self.write()

    def write(self) -> None:
        self.ledger.note()
        batch = self.ledger.batch(self.now)
        self.store.write(batch)
        self.ledger.written(batch)
        self.noted = (self.true_s, self.jumped_s)

    @property
    def known_s(self) -> float:
        """The time as it can be known."""
        return self.true_s + self.misled_s

    def end(self, *, cleanly: bool) -> None:
        if cleanly:
            for c in list(self.connections):
                self.close(c, GapCause.SHUTDOWN)
            self.ledger.shut_down(self.now)
            self.store.write(self.ledger.batch(self.now, is_clean=True))
            self.noted = (self.true_s, self.jumped_s)
        self.store.close()

    def reboot(self) -> None:
        down_s = self.true_s - self.noted[0]
        self.misled_s += max(0.0, down_s + self.jumped_s - self.noted[1]) - down_s
        self.boot += 1
        self.booted_at = self.true_s - 5.0

    # ---- what happens to a connection

    def open(self, name: str) -> int:
        """Its next generation streams."""
        generation = next(self.generations) + 1
        self.ledger.timeline(name, self.now).streaming(generation, self.now)
        sign = self.now.mono
        one = SimpleNamespace(
            birth=SimpleNamespace(generation=generation), streaming_since=sign, safe_until=sign
        )
        c = self.connections.setdefault(
            name, SimpleNamespace(generations=[], counters=lambda: SimpleNamespace(limited=0))
        )
        c.generations.append(one)
        return generation

    def close(self, name: str, cause: GapCause) -> None:
        if name in self.connections:
            for one in self.connections[name].generations:
                self.ledger.timeline(name, self.now).stopped(one.birth.generation, cause, self.now)
            del self.connections[name]

    def stored(self, name: str) -> list[tuple[str, float, float]]:
        """What the file has of a connection, in seconds since the host was first booted."""
        db = sqlite3.connect(self.folder / "ledger.db")
        select = "SELECT coalesce(cause, kind), from_unix, to_unix FROM intervals WHERE connection = ?"
        rows = db.execute(f"{select} ORDER BY id", (name,)).fetchall()
        db.close()
        return [(what, since - WALL, until - WALL) for what, since, until in rows]
