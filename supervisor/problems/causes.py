"""Find out which problems have the same cause, so that one cause is one line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from traptor.common.redis.state import RedisState
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.problems.problem import OpenProblem, Subject
from traptor.supervisor.workers.leftovers import app_connection, first_of, is_app_connection, parse_connection

Sign = tuple[str, ...]
"""What tells a cause: a reason, a key that is to blame, a group that is not collected, ..."""


def heads(problems: Sequence[OpenProblem]) -> list[int | None]:
    """Return, for each problem, the place of a worse one with the same cause; None: it stands alone.

    `problems` are sorted, the worst first; a place that is named is that of a problem that stands alone.
    """
    known: dict[Sign, int] = {}
    found: list[int | None] = []
    for place, one in enumerate(problems):
        head = next((known[sign] for sign in _sought(one) if sign in known), None)
        found.append(head)
        for sign in _shown(one):
            known.setdefault(sign, place if head is None else head)
    return found


def _sought(one: OpenProblem) -> Iterator[Sign]:
    """Yield the signs by which a worse problem is known to have the cause of this one."""
    match one.subject:
        case Subject.CONNECTION:
            yield "why", one.why
        case Subject.KEY:
            yield "key", one.name
        case Subject.APP:
            yield from (("app", one.name, kind) for kind in (one.kind, WaitKind.EFFECT))
        case Subject.OUTPUT:
            yield ("outbox",)
        case Subject.HEARTBEAT if one.kind == "withheld":
            yield "group", one.name
            yield "why", one.why
            yield "why", one.why.partition(": from ")[0]  # without the time of the group's own filters
        case Subject.REDIS:
            yield "error", one.why
            yield from _of_redis(one)


def _shown(one: OpenProblem) -> Iterator[Sign]:
    """Yield the signs of its cause, for problems after it."""
    match one.subject:
        case Subject.ALL:
            yield "why", one.why
            yield "error", one.why.partition(": ")[2]
        case Subject.CONNECTION:
            yield "why", one.why
            yield from (("key", name) for name in (one.key or "").split(", "))
            yield from _place_of(one)
            if one.kind == WaitKind.OUTBOX_FULL:
                yield ("outbox",)
        case Subject.REDIS:
            yield from _of_redis(one)


def _place_of(one: OpenProblem) -> Iterator[Sign]:
    if is_app_connection(one.name):
        yield "app", first_of(one.name).removeprefix(app_connection("")), one.kind
    else:
        yield "group", str(parse_connection(one.name)[0])


def _of_redis(one: OpenProblem) -> Iterator[Sign]:
    """Yield what two uses of one Redis have in common: it is away, or it refuses for the same reason."""
    yield ("redis", one.kind) if one.kind == RedisState.AWAY else ("redis", one.kind, one.why)
