"""Derive from a status why connections do not collect, each a problem of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from logging import INFO, WARNING
from typing import Any

from traptor.supervisor.connections.waits import MEANINGS, PASSING, WaitKind
from traptor.supervisor.keys.conduct.states import Hindrance, KeyState
from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.workers.leftovers import first_of, is_app_connection

_NO_RESERVE_AFTER_S = 30.0  # nothing is lacking meanwhile
_NO_LACK = (WaitKind.ACTS_SOON, WaitKind.EFFECT, WaitKind.STOPPED)  # streams, or is not to
_REFUSED = (KeyState.QUARANTINED, KeyState.SUSPECT)
# Which answer it was, only the error tells.
_ANSWERS = (Hindrance.HTTP, Hindrance.REFUSED, Hindrance.RATE_LIMITED)

Json = Mapping[str, Any]


def of_connections(status: Json) -> Iterator[OpenProblem]:
    """Yield a problem for each connection that waits with rules."""
    for c in status["connections"]:
        wait = c["wait"]
        if wait is None or not c["rules"]:
            continue
        if c.get("covered") and not c["collecting"] and wait["kind"] not in _NO_LACK:
            yield _without_reserve(c)
        elif c["collecting"]:  # by the old generation, while a refresh waits
            level = min(MEANINGS[WaitKind(wait["kind"])].level, WARNING) if c["uncollected"] else INFO
            yield _waiting(c, status, level, None)
        else:
            yield _waiting(c, status, MEANINGS[WaitKind(wait["kind"])].level, c["since"])


def _without_reserve(c: Json) -> OpenProblem:
    """Return the problem of an app one of whose two connections collects alone."""
    wait = c["wait"]
    kind = WaitKind(wait["kind"])
    return OpenProblem(
        Subject.APP,
        first_of(c["connection"]).partition(":")[2],
        "no_reserve",
        f"{c['connection']} does not stream, and the other connection collects alone: {wait['why']}",
        MEANINGS[kind].advice(is_of_app=True),
        WARNING,
        max(_NO_RESERVE_AFTER_S, MEANINGS[kind].say_after_s),
        since=c["since"],
        until=wait["until"],
    )


def _waiting(c: Json, status: Json, level: int, since: float | None) -> OpenProblem:
    wait = c["wait"]
    kind = WaitKind(wait["kind"])
    meaning = MEANINGS[kind]
    return OpenProblem(
        Subject.CONNECTION,
        c["connection"],
        kind,
        wait["why"] + _errors_of(wait["key"], status),
        meaning.advice(is_of_app=is_app_connection(c["connection"])),
        level,
        meaning.say_after_s,
        since=since,
        until=wait["until"],
        key=wait["key"],
        rules=c["uncollected"],
        is_passing=kind in PASSING,
        is_said_elsewhere=kind is WaitKind.STOPPED,
    )


def _errors_of(names: str | None, status: Json) -> str:
    """Return the last errors of the keys that are to blame, as ` (k1: HTTP 401, k2: HTTP 401)`.

    Of a key that rests only the error, as ` (HTTP 503)`: others that rest for the same have the same cause.
    """
    if names is None:
        return ""
    by_name = {key["key"]: key for key in status["keys"]}
    named = [by_name[name] for name in names.split(", ") if name in by_name]
    said = [f"{key['key']}: {key['last_error']}" for key in named if key["state"] in _REFUSED]
    said += [key["last_error"] for key in named if _rests_for_an_answer(key)]
    return f" ({', '.join(said)})" if said else ""


def _rests_for_an_answer(key: Json) -> bool:
    return key["state"] == KeyState.COOLING and key["hindrance"] in _ANSWERS and key["last_error"] is not None
