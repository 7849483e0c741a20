"""The record of how a gap is filled: its stretch of time, its state, and how far the fetching came."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from traptor.common.files.fillreads import FillReads
from traptor.common.fills import FillMethod
from traptor.supervisor.gaps.interval import GapCause, iso

# Gaps that follow each other so closely are filled together: a page more costs less than a query more. A new
# master plans a connection only when it knows the rules: the time until then is in no gap, but is filled too.
JOINED_S = 60.0
# What the operator or a cap ended on purpose.
UNFILLED = frozenset({GapCause.COST, GapCause.OPERATOR_STOP})


class Stretch(Protocol):
    """A stretch of a connection's time."""

    @property
    def connection(self) -> str | None:
        """The connection's name."""

    @property
    def from_unix(self) -> float:
        """When it begins (Unix time)."""

    @property
    def to_unix(self) -> float:
        """When it ends."""


class FillState(StrEnum):
    """The states of a fill; the last two are final."""

    WAITING = "waiting"  # nothing was asked for yet
    RUNNING = "running"
    DONE = "done"
    GIVEN_UP = "given_up"

    @property
    def is_final(self) -> bool:
        """Whether nothing more is fetched."""
        return self in (FillState.DONE, FillState.GIVEN_UP)


@dataclass(frozen=True, slots=True)
class Fill:
    """The filling of one stretch of a connection's time; times are Unix seconds.

    It takes `steps` steps, of which `step` are over, and `token` leads on within the present one. `posts`
    were delivered, `dollars` is what they cost. `why` explains a final state.
    """

    id: int
    connection: str
    from_unix: float
    to_unix: float
    method: FillMethod
    state: FillState = FillState.WAITING
    why: str = ""
    steps: int = 0
    step: int = 0
    refused: int = 0  # of the steps, those that X refused
    token: str = ""
    posts: int = 0
    dollars: float = 0.0
    at: float = 0.0  # when this changed

    @property
    def is_open(self) -> bool:
        """Whether there is something left to fetch."""
        return not self.state.is_final

    @property
    def seconds(self) -> float:
        """The length of the stretch."""
        return self.to_unix - self.from_unix

    def covers(self, part: Stretch) -> bool:
        """Tell whether it fills a part of that stretch of its connection's time."""
        is_within = self.from_unix < part.to_unix and part.from_unix < self.to_unix
        return part.connection == self.connection and is_within

    def joins(self, from_unix: float) -> bool:
        """Tell whether a gap that begins at that time can be filled with it."""
        is_near = self.from_unix - JOINED_S <= from_unix <= self.to_unix + JOINED_S
        return self.state is FillState.WAITING and is_near

    def joined(self, from_unix: float, to_unix: float) -> Fill:
        """Return it for this stretch too."""
        return replace(
            self, from_unix=min(self.from_unix, from_unix), to_unix=max(self.to_unix, to_unix), at=to_unix
        )

    def halves(self, other: int) -> tuple[Fill, Fill]:
        """Return it for the earlier half of its stretch, and another one, by that id, for the later.

        What was brought already, by a stream that ended early, stays with the earlier.
        """
        middle = (self.from_unix + self.to_unix) / 2
        later = replace(self, id=other, from_unix=middle, posts=0, dollars=0.0)
        return replace(self, to_unix=middle), later

    def begun(self, steps: int, at: float) -> Fill:
        """Return it with the number of its steps, now that they are known."""
        return replace(self, state=FillState.RUNNING, steps=steps, at=at)

    def got(self, posts: int, dollars: float, at: float) -> Fill:
        """Return it with what a piece brought, and cost."""
        dollars = round(self.dollars + dollars, 6)
        return replace(self, posts=self.posts + posts, dollars=dollars, at=at)

    def fetched(self, token: str) -> Fill:
        """Return it after a piece: with a token the step goes on, else the next one follows."""
        return replace(self, token=token) if token else self._stepped()

    def refuses(self, why: str, at: float) -> Fill:
        """Return it after a step that cannot be taken, for that reason."""
        return replace(self, refused=self.refused + 1, why=why, at=at)._stepped()

    def without_posts(self, why: str, at: float) -> Fill:
        """Return it done, as nothing can be missing, for that reason."""
        return replace(self, state=FillState.DONE, why=why, at=at)

    def given_up(self, why: str, at: float) -> Fill:
        """Return it given up for that reason; what was delivered stays delivered."""
        return replace(self, state=FillState.GIVEN_UP, why=why, token="", at=at)

    def _stepped(self) -> Fill:
        step = self.step + 1
        state = self.state
        if step >= self.steps:
            state = FillState.GIVEN_UP if self.refused >= self.steps else FillState.DONE
        return replace(self, step=step, token="", state=state)

    def as_json(self) -> dict[str, Any]:
        """Return it as people and programs read it."""
        return {
            "id": self.id,
            "connection": self.connection,
            "from": iso(self.from_unix),
            "to": iso(self.to_unix),
            "from_unix": round(self.from_unix, 3),
            "to_unix": round(self.to_unix, 3),
            "method": self.method.value,
            "state": self.state.value,
            "why": self.why or None,
            "steps": self.steps,
            "steps_done": self.step,
            "steps_refused": self.refused,
            "posts": self.posts,
            "dollars": round(self.dollars, 4),
            "at": iso(self.at),
            "at_unix": round(self.at, 3),
        }


@dataclass(frozen=True, slots=True)
class FillCost:
    """What filling the gaps of a connection cost on one UTC day."""

    connection: str
    day: str  # 2026-11-29
    dollars: float


@dataclass(frozen=True, slots=True)
class FillTold:
    """What of a worker's posts and reads for a fill the ledger holds."""

    fill: int
    worker: str  # its generation's name
    reads: FillReads


@dataclass(frozen=True, slots=True)
class FillTotal:
    """How many fills ever ended in a final state, and how many posts they brought."""

    state: FillState
    fills: int = 0
    posts: int = 0

    def plus(self, fill: Fill, before: Fill | None) -> FillTotal:
        """Return it with a fill that is final, and was this before."""
        if before is None or before.is_open:
            return replace(self, fills=self.fills + 1, posts=self.posts + fill.posts)
        return replace(self, posts=self.posts + fill.posts - before.posts)


class FillIndex:
    """Finds the fills of a gap among many: those of one connection follow each other."""

    def __init__(self, fills: Iterable[Fill]) -> None:
        self._by_connection: dict[str, list[Fill]] = {}
        for fill in sorted(fills, key=_begin):
            self._by_connection.setdefault(fill.connection, []).append(fill)

    def of(self, part: Stretch) -> list[Fill]:
        """Return what fills a part of that stretch, the earliest first."""
        fills = self._by_connection.get(part.connection or "", [])
        found: list[Fill] = []
        for number in range(bisect_left(fills, part.to_unix, key=_begin) - 1, -1, -1):
            if not fills[number].covers(part):
                break
            found.insert(0, fills[number])
        return found


def _begin(fill: Fill) -> float:
    return fill.from_unix


def is_filled(cause: str | None, generation: int | None) -> bool:
    """Tell whether a gap is filled, by its cause and the last generation that had streamed before it."""
    return cause is not None and cause not in UNFILLED and generation is not None


def shown_fill(fill: Mapping[str, Any]) -> str:
    """Return a fill in its form for programs as a phrase: `filled by search 03:12, 41 posts, $0.21`."""
    method, at = fill["method"], str(fill["at"])[11:16]
    got = f"{fill['posts']} posts, ${fill['dollars']:.2f}"
    match fill["state"]:
        case FillState.DONE:
            refused = f", {fill['steps_refused']} of {fill['steps']} queries refused"
            return f"filled by {method} {at}, {got}{refused if fill['steps_refused'] else ''}"
        case FillState.RUNNING:
            return f"being filled by {method}, {fill['steps_done']} of {fill['steps']}, {got}"
        case FillState.GIVEN_UP:
            return f"not filled ({got}): {fill['why']}"
        case _:
            return f"to be filled by {method}"
