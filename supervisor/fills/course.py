"""Where the filling of one connection's gaps stands: what was asked for, and what it waits for. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from traptor.supervisor.fills.pace import Pace

# A worker answers even if X does not; one that has not within this time has forgotten.
ANSWER_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True)
class Worker:
    """Who is asked; the two connections of an app count their generations each by itself."""

    connection: str
    generation: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A piece that a worker fetches: its number, for which fill, by whom, since when."""

    number: int
    fill: int
    worker: Worker
    at: float  # monotonic seconds


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is asked for now; `until` is a Unix time, None where it is not known."""

    why: str
    until: float | None = None


class Course:
    """Owns this state of one connection; times are monotonic seconds except where noted."""

    def __init__(self) -> None:
        self.asked: Asked | None = None
        self.pace = Pace()
        self.failures = 0  # in a row
        self.last_status: int | None = None  # of the last of them, as far as X answered
        self.not_before = 0.0
        self.pause: Pause | None = None
        self._number = 0

    def ask(self, fill: int, worker: Worker, now: float) -> Asked:
        """Record that a piece is asked for now."""
        self._number += 1
        self.pace.made(now)
        self.pause = None
        self.asked = Asked(self._number, fill, worker, now)
        return self.asked

    def take(self, number: int, worker: Worker, now: float) -> Asked | None:
        """Return the piece that is answered; None where it is not waited for any more."""
        asked = self.asked
        if asked is None or (asked.number, asked.worker) != (number, worker):
            return None
        self.asked = None
        self.pace.answered(now)
        return asked

    def waits(self, workers: Collection[Worker], now: float) -> bool:
        """Tell whether one of these has a piece under way; one that none of them can answer is forgotten."""
        asked = self.asked
        if asked is None:
            return False
        if asked.worker in workers and now - asked.at < ANSWER_WITHIN_S:
            return True
        self.asked = None
        return False

    def went_well(self) -> None:
        """Record a piece that was fetched, or is not asked for again."""
        self.failures, self.last_status = 0, None

    def failed(self, failures: int, wait_s: float, now: float, status: int | None = None) -> None:
        """Record a piece that X answered so and that must be asked for again, after a wait."""
        self.failures, self.last_status = failures, status
        self.rest(wait_s, now)

    def rest(self, wait_s: float, now: float) -> None:
        """Ask for nothing for a while."""
        self.not_before = max(self.not_before, now + wait_s)

    def due(self) -> float:
        """Return when the next piece may be asked for."""
        return max(self.not_before, self.pace.next_at())
