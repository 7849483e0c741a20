"""Derive the problems from a status: one pure function, whose input is the content of status.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from traptor.common.fills import FillMethod
from traptor.common.redis.state import RedisState
from traptor.common.text import counted
from traptor.supervisor.apps.hold import HoldKind
from traptor.supervisor.connections.waits import ACTS_SOON_TEXT, STOPPED_TEXT, WaitKind
from traptor.supervisor.gaps.fill import FillState
from traptor.supervisor.keys.conduct.states import Hindrance, KeyState
from traptor.supervisor.problems import meanings
from traptor.supervisor.problems.connections import of_connections
from traptor.supervisor.problems.meanings import StateMeaning
from traptor.supervisor.problems.outboxes import of_outboxes
from traptor.supervisor.problems.problem import OpenProblem, Subject

_FILL_TOLD_S = 86_400.0  # nothing ends this problem but time
_NOT_GRANTED = tuple(f"X answered {status}" for status in (403, 404, 410))  # as a fill is given up at once

Json = Mapping[str, Any]


def find(status: Json) -> list[OpenProblem]:
    """Return everything that is wrong, the worst first; what has not lasted long enough is among it."""
    connections = list(of_connections(status))
    problems = [
        *_of_all(status, connections),
        *connections,
        *_of_apps(status),
        *_of_fills(status),
        *_of_output(status),
        *of_outboxes(status),
        *_of_trial(status),
        *_of_groups(status),
        *_of_keys(status),
        *_of_heartbeats(status),
        *_of_redis(status),
        *_of_host(status),
    ]
    return sorted(problems, key=attrgetter("rank"))


# ---- all connections


def _of_all(status: Json, found: list[OpenProblem]) -> Iterator[OpenProblem]:
    """Yield one problem when nothing streams; it counts when the last connection's does (no start counts)."""
    if not status["ready"]:
        yield _not_ready(next((use for use in status["redis_uses"] if use["error"]), None))
        return
    planned = [c for c in status["connections"] if c["rules"] and c["state"] != "STOPPED"]
    waiting = [one for one in found if one.kind != WaitKind.STOPPED]
    if not planned or not waiting or any(c["collecting"] for c in planned):
        return
    kinds = {one.kind for one in waiting}
    if WaitKind.ACTS_SOON in kinds:
        return  # something streams, and soon brings posts
    [(why, _)] = Counter(one.why for one in waiting).most_common(1)
    alike = [one for one in waiting if one.why == why]
    yield OpenProblem(
        Subject.ALL,
        "",
        "nothing_in_effect" if WaitKind.EFFECT in kinds else "nothing_streams",
        why,
        alike[0].todo,
        meanings.NOTHING_STREAMS,
        max(one.say_after_s for one in waiting),
        since=max(c["since"] for c in planned),
        until=min((one.until for one in alike if one.until is not None), default=None),
        rules=sum(c["rules"] for c in planned),
        connections=len(planned),
    )


def _not_ready(failing: Json | None) -> OpenProblem:
    """Return the problem that no rules are known; `failing` is a use of Redis that fails."""
    why = f"no rules are known yet: {failing['error'] if failing is not None else 'they are being read'}"
    of_redis = meanings.REDIS[RedisState(failing["state"])] if failing is not None else None
    meaning = meanings.NOT_READY if of_redis is None else replace(meanings.NOT_READY, todo=of_redis.todo)
    return _plain(Subject.ALL, "", "not_ready", why, meaning)


# ---- keys and apps


def _of_keys(status: Json) -> Iterator[OpenProblem]:
    """Yield a problem for each key that cannot be used as intended."""
    for key in status["keys"]:
        state = KeyState(key["state"])
        meaning, rests = meanings.KEYS[state], state is KeyState.COOLING
        hindrance = Hindrance(key["hindrance"]) if key["hindrance"] is not None else None
        if meaning is None or (rests and (hindrance is None or not meanings.COOLING[hindrance])):
            continue
        error = f": {key['last_error']}" if key["last_error"] and state is not KeyState.UNUSABLE else ""
        yield _plain(
            Subject.KEY,
            key["key"],
            f"{state}:{hindrance}" if rests else state,
            f"{key['reason']}{error}",
            meaning,
            until=key["until"],
        )


def _of_apps(status: Json) -> Iterator[OpenProblem]:
    """Yield the problems of each app of API v2."""
    for app in status.get("apps", ()):
        name, filters = app["key"], app["filters"]
        meaning = meanings.HOLDS[HoldKind(app["hold"])] if app["hold"] is not None else None
        if meaning is not None:
            why = app["hold_why"] or app["hold"]
            yield _plain(Subject.APP, name, app["hold"], why, meaning, until=app["hold_until"])
        if app["waiting"]:
            why = _first(app["waiting_first"], "no filter is free")
            yield _plain(Subject.APP, name, "unfit", why, meanings.RULES_UNFIT, rules=app["waiting"])
        if app["rejected"]:
            why = _first(app["rejected_first"], "")
            if most := app["mostly_rejected"]:
                others = " and of other groups" if len(most) > 1 else ""
                why = f"most rules of {most[0]}{others}; {why}"
            kind, meaning = _rejection(is_of_most=bool(most))
            yield _plain(Subject.APP, name, kind, why, meaning, rules=app["rejected"])
        if app["sync"]["trouble"] is not None:
            why, again_at = app["sync"]["trouble"], app["sync"]["again_at"]
            yield _plain(Subject.APP, name, "sync", why, meanings.SYNC_FAILS, until=again_at)
        if filters["strange"]:
            first = filters["strange_first"][0]
            why = f"another program adds filters for the same collection, such as {first!r}, and deletes ours"
            yield _plain(Subject.APP, name, "shared", why, meanings.APP_SHARED)
        if filters["foreign"] and app["hold"] != HoldKind.FOREIGN_FILTERS:
            why = f"it has {counted(filters['foreign'], 'filter')} of others"
            yield _plain(Subject.APP, name, "foreign", why, meanings.FOREIGN_FILTERS)


def _of_fills(status: Json) -> Iterator[OpenProblem]:
    """Yield a problem for each app of which a gap could not be filled lately, for the last one."""
    failed = {
        fill["connection"]: fill
        for fill in status.get("fills", {}).get("fills", ())
        if fill["state"] == FillState.GIVEN_UP and fill["at_unix"] > status["at"] - _FILL_TOLD_S
    }
    for connection, fill in failed.items():
        is_granted = not fill["why"].startswith(_NOT_GRANTED)
        why = f"the gap of {fill['from']} could not be filled because {fill['why']}"
        yield _plain(
            Subject.APP,
            connection.partition(":")[2],
            "gap_unfilled",
            why,
            meanings.GAP_UNFILLED if is_granted else meanings.GAP_REFUSED[FillMethod(fill["method"])],
            since=fill["at_unix"],
        )


def _rejection(*, is_of_most: bool) -> tuple[str, StateMeaning]:
    """Return the kind and meaning of rejected rules; of most rules of a group they are graver."""
    if is_of_most:
        return "mostly_rejected", meanings.RULES_MOSTLY_REJECTED
    return "rejected", meanings.RULES_REJECTED


def _first(rules: list[Json], otherwise: str) -> str:
    return f"{rules[0]['key']}: {rules[0]['reason']}" if rules else otherwise


# ---- rules


def _of_groups(status: Json) -> Iterator[OpenProblem]:
    """Yield a problem for each group whose rules are suspect, and for rules that cannot be streamed."""
    for group in status["groups"]:
        name = group["group"]
        if group["suspect"]:
            why = "Redis no longer has any of its rules; the known ones stream on"
            yield _plain(Subject.GROUP, name, "rules_suspect", why, meanings.RULES_SUSPECT)
        if group["rejected"]:
            why, number = _first(group["rejected_rules"], ""), group["rejected"]
            kind, meaning = _rejection(is_of_most=number > group["rules"])
            yield _plain(Subject.RULES, name, kind, why, meaning, rules=number)
    if status["strays"]:
        why = _first(status["stray_keys"], "")
        yield _plain(Subject.RULES, "strays", "strays", why, meanings.STRAYS, rules=status["strays"])


def _of_heartbeats(status: Json) -> Iterator[OpenProblem]:
    for name, why in status["heartbeat"]["why"].items():
        meaning = meanings.HEARTBEAT_OF_STOPPED if why == STOPPED_TEXT else meanings.HEARTBEAT
        if why.startswith(ACTS_SOON_TEXT):
            meaning = meanings.HEARTBEAT_SOON
        yield _plain(Subject.HEARTBEAT, name, "withheld", why, meaning)
    for group in status["groups"]:
        if group["heartbeat_shared"]:
            why = "somebody else writes it too: another supervisor, or the original, serves this group"
            yield _plain(Subject.HEARTBEAT, group["group"], "shared", why, meanings.HEARTBEAT_SHARED)


# ---- Redis, the output, and this process


def _of_redis(status: Json) -> Iterator[OpenProblem]:
    for use in status["redis_uses"]:
        if (meaning := meanings.REDIS[RedisState(use["state"])]) is not None:
            why = use["error"] or use["state"]
            yield _plain(Subject.REDIS, use["used_for"], use["state"], why, meaning, since=use["since"])


def _of_output(status: Json) -> Iterator[OpenProblem]:
    output = status["output"]
    if (meaning := meanings.OUTPUT[output["state"]]) is not None:
        why = output["error"] or "the oldest undelivered message waits for long"
        since = output["since"] or output["oldest"]
        yield _plain(Subject.OUTPUT, output["kind"], output["state"], why, meaning, since=since)


def _of_trial(status: Json) -> Iterator[OpenProblem]:
    trial = status.get("trial")
    if trial is not None and (meaning := meanings.TRIAL[trial["state"]]) is not None:
        why = trial["error"] or "the oldest undelivered post waits for long"
        yield _plain(Subject.TRIAL, trial["name"], trial["state"], why, meaning)


def _of_host(status: Json) -> Iterator[OpenProblem]:
    reload = status["reload"]
    if reload["refused"]:
        why, at = reload["refused"][0], reload["at"]
        yield _plain(Subject.RELOAD, "", "refused", why, meanings.RELOAD_REFUSED, since=at)
    if error := status["ledger"].get("error"):
        why = f"it is kept in memory: {error}"
        yield _plain(Subject.LEDGER, "", "failing", why, meanings.LEDGER_FAILS)
    if status["log_fails"]:
        why = f"{counted(status['log_lost'], 'record')} of supervisor.log could not be written"
        yield _plain(Subject.LOG, "", "failing", why, meanings.LOG_FAILS)
    for job in status["jobs"]:
        if job["error"] is not None:
            until = job["retry_at"]
            yield _plain(Subject.JOB, job["job"], "failing", job["error"], meanings.JOB_FAILS, until=until)


def _plain(
    subject: Subject,
    name: str,
    kind: str,
    why: str,
    meaning: StateMeaning,
    *,
    since: float | None = None,
    until: float | None = None,
    rules: int | None = None,
) -> OpenProblem:
    return OpenProblem(
        subject,
        name,
        kind,
        why,
        meaning.todo,
        meaning.level,
        meaning.say_after_s,
        since,
        until,
        rules=rules,
        is_said_elsewhere=meaning.is_said_elsewhere,
    )
