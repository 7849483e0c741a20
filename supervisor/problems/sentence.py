"""Say a problem in one sentence, always with the same parts in the same order.

What is not collected, since when, why, until when, what to do:
`follow:0 NOT COLLECTING 400 rules since 02:51 (12 min): no key is free, until 03:06; add a key`
"""

from __future__ import annotations

import functools
from datetime import datetime, tzinfo
from logging import INFO

from traptor.common.text import counted, one_line
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.problems.problem import OpenProblem, Subject

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400


def sentence(problem: OpenProblem, since: float, at: float, zone: tzinfo | None = None) -> str:
    """Return the sentence as of `at` (Unix seconds), in local time unless a zone is given."""
    until = f", until {_clock(problem.until, at, zone)}" if problem.until is not None else ""
    begin = f"{subject_of(problem)} since {_clock(since, at, zone)} ({rough_age(at - since)})"
    return one_line(f"{begin}: {problem.why}{until}; {problem.todo}")


def steady_sentence(problem: OpenProblem, since: float, at: float) -> str:
    """Return the same without the age: it changes only with the problem."""
    return sentence(problem, since, at).replace(f" ({rough_age(at - since)})", "", 1)


def subject_of(problem: OpenProblem) -> str:
    """Return what is wrong: the subject, and its state in capitals."""
    name, rules = problem.name, problem.rules or 0
    match problem.subject:
        case Subject.ALL if problem.connections is None:
            return "NOTHING IS COLLECTED"
        case Subject.ALL:
            what = "IS COLLECTED" if problem.kind == "nothing_in_effect" else "STREAMS"
            return f"NOTHING {what}: {counted(problem.connections or 0, 'connection')}, {_rules(rules)}"
        case Subject.CONNECTION if problem.kind == WaitKind.STOPPED:
            return f"{name} STOPPED, {_rules(rules)} not collected"
        case Subject.CONNECTION if problem.level > INFO or rules:
            return f"{name} NOT COLLECTING {_rules(rules)}"
        case Subject.CONNECTION:
            return f"{name} REFRESH WAITS"
        case Subject.KEY:
            return f"key {name} {_capitals(problem.kind.partition(':')[0])}"
        case Subject.APP if problem.kind == "unfit":
            return f"app {name} NOT COLLECTING {_rules(rules)}"
        case Subject.APP:
            about = f" {_rules(rules)}" if rules else ""
            return f"app {name} {_capitals(problem.kind)}{about}"
        case Subject.GROUP:
            return f"{name} RULES SUSPECT"
        case Subject.RULES:
            return f"{name} {'MOSTLY ' * (problem.kind == 'mostly_rejected')}REJECTED {_rules(rules)}"
        case Subject.HEARTBEAT:
            return f"heartbeat of {name} {_capitals(problem.kind)}"
        case Subject.REDIS:
            return f"Redis {_capitals(problem.kind)} for {name}"
        case Subject.OUTPUT:
            return f"output {name} {_capitals(problem.kind)}"
        case Subject.OUTBOX:
            return f"outbox of {name} HAS NO WORKER"
        case Subject.TRIAL:
            return f"trial {name} {_capitals(problem.kind)}"
        case Subject.RELOAD:
            return "reload REFUSED"
        case Subject.LEDGER:
            return "gap ledger NOT WRITTEN"
        case Subject.LOG:
            return "log NOT WRITTEN"
        case Subject.JOB:
            return f"job {name!r} FAILING"


def rough_age(seconds: float) -> str:
    """Return a duration as people say it: `40 s`, `12 min`, `3 h`, `2 d`."""
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit_s or (unit == "min" and seconds >= unit_s):
            return f"{int(seconds / unit_s)} {unit}"
    return f"{max(0, int(seconds))} s"


def _rules(number: int) -> str:
    return "1 rule" if number == 1 else f"{number:,} rules"


def _capitals(kind: str) -> str:
    return kind.replace("_", " ").upper()


def _clock(unix: float, at: float, zone: tzinfo | None) -> str:
    """Return a time of today to the minute, of another day with its date."""
    return _minute(int(unix // _MINUTE_S), int(at // _MINUTE_S), zone)


@functools.lru_cache(maxsize=256)  # thousands of connections may wait since the same minute
def _minute(number: int, today: int, zone: tzinfo | None) -> str:
    moment, now = (datetime.fromtimestamp(one * _MINUTE_S, zone).astimezone(zone) for one in (number, today))
    return f"{moment:%H:%M}" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M}"
