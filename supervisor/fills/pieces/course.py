"""Where the filling of one connection's gaps stands: what was asked for, and what it waits for. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

# A worker answers even if X does not; one that has not within this time has forgotten.
ANSWER_WITHIN_S = 180.0


class Worker(NamedTuple):
    """Who is asked; the two connections of an app count their generations each by itself."""

    connection: str
    generation: int

    @property
    def name(self) -> str:
        """Its generation's name."""
        return f"{self.connection}#{self.generation}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A piece that a worker fetches: its number, for which fill, of at most so many posts, since when."""

    number: int
    fill: int
    worker: Worker
    posts: int
    at: float  # monotonic seconds


@dataclass(frozen=True, slots=True)
class Failures:
    """How many pieces of one fill failed in a row, and the status of the last, as far as X answered."""

    count: int = 0
    last_status: int | None = None


NO_FAILURES = Failures()


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is asked for now; `until` is a Unix time, None where it is not known."""

    why: str
    until: float | None = None


class Course:
    """Owns this state of one connection; times are monotonic seconds except where noted."""

    def __init__(self) -> None:
        self.not_before = 0.0  # nothing is asked for before that
        self.pause: Pause | None = None
        self._asked: dict[int, Asked] = {}  # by their numbers
        self._failures: dict[int, Failures] = {}  # by the fill
        self._number = 0

    # ---- what is under way

    def ask(self, fill: int, worker: Worker, posts: int, now: float) -> Asked:
        """Record that a piece is asked for now."""
        self._number += 1
        self.pause = None
        asked = self._asked[self._number] = Asked(self._number, fill, worker, posts, now)
        return asked

    def take(self, number: int, worker: Worker) -> Asked | None:
        """Return the piece that is answered; None where it is not waited for any more."""
        asked = self._asked.get(number)
        if asked is None or asked.worker != worker:
            return None
        del self._asked[number]
        return asked

    def forget(self, workers: Collection[Worker], now: float) -> None:
        """Wait no more for pieces that none of these workers can answer."""
        self._asked = {
            asked.number: asked
            for asked in self._asked.values()
            if asked.worker in workers and now - asked.at < ANSWER_WITHIN_S
        }

    @property
    def under_way(self) -> Collection[Asked]:
        """The pieces that are waited for."""
        return self._asked.values()

    @property
    def posts_under_way(self) -> int:
        """How many posts these may bring."""
        return sum(asked.posts for asked in self._asked.values())

    # ---- what came of them

    def failures(self, fill: int) -> Failures:
        """Return what failed of this fill since a piece of it went well."""
        return self._failures.get(fill, NO_FAILURES)

    def went_well(self, fill: int) -> None:
        """Record a piece that was fetched, or is not asked for again."""
        self._failures.pop(fill, None)

    def failed(self, fill: int, failures: Failures, wait_s: float, now: float) -> None:
        """Record a piece that must be asked for again, after a wait."""
        self._failures[fill] = failures
        self.rest(wait_s, now)

    def rest(self, wait_s: float, now: float) -> None:
        """Ask for nothing for a while."""
        self.not_before = max(self.not_before, now + wait_s)
