"""The problems of one master: found in each status, logged, and listed for everybody who shows them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from traptor.supervisor.problems.causes import heads
from traptor.supervisor.problems.finder import find
from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.problems.sentence import sentence, steady_sentence, subject_of
from traptor.supervisor.problems.watch import Watch


class Health(StrEnum):
    """How the whole is, by its worst problem."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"  # nothing is collected


class Board:
    """Keeps when each problem began; each look logs those that began and those that ended."""

    def __init__(self) -> None:
        self._watch = Watch()

    def look(self, status: Mapping[str, Any], now: float) -> None:
        """Take the problems of a status made at `now` (monotonic). A stopping master has none."""
        if not status["stopping"]:
            self._watch.look(find(status), now)

    def listed(self, at: float) -> list[dict[str, Any]]:
        """Return the problems that last, the worst first, as plain JSON values; `at` is Unix time."""
        lasting = self._lasting()
        beneath = heads([problem for problem, _ in lasting])
        return [
            {**_shown(problem, since, at), "beneath": head}
            for (problem, since), head in zip(lasting, beneath, strict=True)
        ]

    def worst(self, at: float) -> str | None:
        """Return the sentence of the worst problem, without its age: it changes only with the problem.

        None: there is no problem.
        """
        worst = min(self._watch.lasting(), key=_rank, default=None)
        return steady_sentence(*worst, at) if worst is not None else None

    def __len__(self) -> int:
        """Return how many there are, those of one cause as one."""
        return heads([problem for problem, _ in self._lasting()]).count(None)

    def _lasting(self) -> list[tuple[OpenProblem, float]]:
        return sorted(self._watch.lasting(), key=_rank)


def health(problems: Sequence[Mapping[str, Any]]) -> Health:
    """Return how the whole is, from the listed problems."""
    if any(problem["what"] == Subject.ALL for problem in problems):
        return Health.DOWN
    levels = {problem["level"] for problem in problems} - {logging.getLevelName(logging.INFO)}
    return Health.DEGRADED if levels else Health.OK


def _rank(one: tuple[OpenProblem, float]) -> tuple[Any, ...]:
    problem, since = one
    return problem.rank, since


def _shown(problem: OpenProblem, since: float, at: float) -> dict[str, Any]:
    return {
        "what": problem.subject,
        "name": problem.name,
        "subject": subject_of(problem),
        "kind": problem.kind,
        "level": logging.getLevelName(problem.level),
        "why": problem.why,
        "since": round(since, 3),
        "until": problem.until,
        "todo": problem.todo,
        "key": problem.key,
        "rules": problem.rules,
        "sentence": sentence(problem, since, at),
    }
