"""Tweets a second of each connection: now, and over the last hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

SPAN_S = 60.0
"""The time over which a present rate is taken, and the length of one step of the history."""

STEPS = 60
INTERVAL_S = 5.0  # between notes


@dataclass
class _Course:
    """The totals of one connection, as they grew."""

    marks: deque[tuple[float, int]] = field(default_factory=deque)  # of the last minute: when, total
    steps: deque[float] = field(
        default_factory=lambda: deque(maxlen=STEPS)
    )  # tweets a second of whole minutes
    step_from: tuple[float, int] | None = None  # when the present step began, and the total then

    def note(self, at: float, total: int) -> None:
        if self.marks and total < self.marks[-1][1]:
            self.marks.clear()  # counted anew: it is another connection of the same name
            self.step_from = None
        if self.step_from is None:
            self.step_from = (at, total)
        self.marks.append((at, total))
        while len(self.marks) > 1 and self.marks[1][0] <= at - SPAN_S:
            self.marks.popleft()
        began, before = self.step_from
        if at - began >= SPAN_S:
            self.steps.append((total - before) / (at - began))
            self.step_from = (at, total)


class Rates:
    """Notes what connections have received in all, and says how fast it grows; times are monotonic."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        self._totals: dict[str, tuple[float, int]] = {}

    def note(self, totals: Mapping[str, int], at: float) -> None:
        """Take the total of every connection that there is; the others are forgotten."""
        for gone in self._courses.keys() - totals.keys():
            del self._courses[gone]
        for name, total in totals.items():
            self._courses.setdefault(name, _Course()).note(at, total)
        self._totals = {name: (at, total) for name, total in totals.items()}

    def per_second(self, name: str) -> float | None:
        """Return the rate of the last minute, or since the first note; None before the second one."""
        course = self._courses.get(name)
        if course is None or not course.marks:
            return None
        (began, before), (at, total) = course.marks[0], self._totals[name]
        return (total - before) / (at - began) if at > began else None

    def history(self, name: str) -> list[float]:
        """Return the rates of the last hour, a minute each, the latest last; fewer for a new connection."""
        course = self._courses.get(name)
        return [round(step, 2) for step in course.steps] if course is not None else []
