"""Derive from a status which messages wait in outboxes that no worker has. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from traptor.common.text import counted
from traptor.supervisor.problems.meanings import OWNERLESS
from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.status.phrases import left_messages

_KIND = "ownerless"

Json = Mapping[str, Any]


def of_outboxes(status: Json) -> Iterator[OpenProblem]:
    """Yield a problem for each connection whose dead workers left messages that no other worker has.

    While a drain worker tries it is the same problem, which neither begins nor ends.
    """
    tries = {one["connection"]: one for one in status["drain_tries"]}
    served = {c["connection"] for c in status["connections"] if c["serving"] or c["successor"]}
    for left in status["ownerless"]:
        name, tried = left["connection"], tries.pop(left["connection"], None)
        if what := left_messages(left):
            until = tried["next_at"] if tried is not None else None
            yield _problem(name, f"{what} {_why(tried, name in served)}", OWNERLESS.say_after_s, until)
    for name in tries:
        yield _problem(name, "a drain worker tries to deliver what dead workers left", math.inf)


def _why(tried: Json | None, is_served: bool) -> str:
    if tried is not None:
        return f"wait: {counted(tried['tries'], 'drain worker')} ended without delivering them"
    return "wait: the connection's worker has not taken them over" if is_served else "wait for a worker"


def _problem(name: str, why: str, say_after_s: float, until: float | None = None) -> OpenProblem:
    todo, level = OWNERLESS.todo, OWNERLESS.level
    return OpenProblem(Subject.OUTBOX, name, _KIND, why, todo, level, say_after_s, until=until)
