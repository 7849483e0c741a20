"""Track when problems begin, change and end: log a line for each, and list those that last."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from traptor.common.logs.event import fields
from traptor.supervisor.gaps.interval import instant, iso
from traptor.supervisor.problems.problem import OpenProblem, Subject

log = logging.getLogger(__name__)

_ONE_AT_A_TIME = frozenset({Subject.CONNECTION, Subject.KEY, Subject.ALL, Subject.OUTPUT, Subject.TRIAL})
"""Subjects for which another kind is the same trouble with another reason."""


@dataclass(slots=True)
class _Open:
    """A problem as it is now, with the start of its subject's trouble and of its present kind (monotonic)."""

    problem: OpenProblem
    found_at: float
    kind_since: float
    is_said: bool = False  # the present kind was logged
    was_said: bool = False  # any kind was logged

    def is_due(self, now: float) -> bool:
        return not self.is_said and now >= self.kind_since + self.problem.say_after_s

    @property
    def since(self) -> float:
        """Since when its subject is in trouble, in Unix time."""
        told = self.problem.since
        return instant(self.found_at).wall if told is None else told


class Watch:
    """Compares the present problems with what was logged, and logs the difference."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, ...], _Open] = {}

    def look(self, problems: Iterable[OpenProblem], now: float) -> None:
        """Record the problems at `now` (monotonic seconds)."""
        found = {_place(problem): problem for problem in problems}
        for place in [place for place in self._open if place not in found]:
            self._end(self._open.pop(place), now)
        for place, problem in found.items():
            self._take(place, problem, now)
        for one in self._open.values():
            if one.is_due(now):
                one.is_said = one.was_said = True
                _say_begin(one.problem, one.since)

    def lasting(self) -> Iterator[tuple[OpenProblem, float]]:
        """Yield each problem that counts, and since when (Unix time)."""
        for one in self._open.values():
            if one.was_said:
                yield one.problem, one.since

    def _take(self, place: tuple[str, ...], problem: OpenProblem, now: float) -> None:
        one = self._open.get(place)
        if one is None:
            self._open[place] = _Open(problem, now, now)
        elif (problem.kind, problem.key) == (one.problem.kind, one.problem.key):
            one.problem = problem
        elif not (problem.is_passing and one.was_said):
            one.problem, one.kind_since, one.is_said = problem, now, False

    def _end(self, one: _Open, now: float) -> None:
        if one.was_said and not one.problem.is_said_elsewhere:
            _say_end(one.problem, round(now - one.found_at, 1))


def _place(problem: OpenProblem) -> tuple[str, ...]:
    kind = () if problem.subject in _ONE_AT_A_TIME else (problem.kind,)
    return (problem.subject, problem.name, *kind)


def _say_begin(problem: OpenProblem, since: float) -> None:
    if problem.is_said_elsewhere:
        return
    about = {
        "rules": problem.rules,
        "why": problem.why,
        "since": iso(since) if problem.say_after_s else None,
        "until": iso(problem.until) if problem.until is not None else None,
        "todo": problem.todo,
    }
    match problem.subject:
        case Subject.CONNECTION:
            said = fields(connection=problem.name, key=problem.key, **about)
            waits = problem.rules
            log.log(problem.level, "rules are not collected" if waits else "refresh waits", extra=said)
        case Subject.KEY:
            log.log(problem.level, "key cannot be used", extra=fields(key=problem.name, **about))
        case Subject.RULES | Subject.APP:
            log.log(
                problem.level, "most rules of a group are rejected", extra=fields(of=problem.name, **about)
            )
        case Subject.OUTBOX:
            said = fields(connection=problem.name, **about)
            log.log(problem.level, "messages wait that no worker has", extra=said)
        case Subject.ALL:
            said = fields(connections=problem.connections, **about)
            streams = problem.kind == "nothing_in_effect"
            log.log(problem.level, "nothing is in effect at X" if streams else "nothing streams", extra=said)


def _say_end(problem: OpenProblem, lasted_s: float) -> None:
    match problem.subject:
        case Subject.CONNECTION:
            log.info("rules no longer wait", extra=fields(connection=problem.name, after_s=lasted_s))
        case Subject.KEY:
            log.info("key trouble is over", extra=fields(key=problem.name, after_s=lasted_s))
        case Subject.RULES | Subject.APP:
            said = fields(of=problem.name, after_s=lasted_s)
            log.info("no longer most rules of a group are rejected", extra=said)
        case Subject.OUTBOX:
            said = fields(connection=problem.name, after_s=lasted_s)
            log.info("no message waits without a worker", extra=said)
        case Subject.ALL:
            log.info("standstill is over", extra=fields(after_s=lasted_s))
