"""The kinds of faults on the v2 side, and their parameters."""

from __future__ import annotations

from enum import StrEnum


class V2FaultKind(StrEnum):
    """The kinds of faults."""

    # Responses of an endpoint, by default the stream's:
    STATUS = "status"  # `problem`, or `status` with its usual problem; the text `after` seconds later
    SLOW_START = "slow_start"  # the headers come `after` seconds late
    HEADERS = "headers"  # these `headers` replace the response's own; null: without
    LOST_ANSWER = "lost_answer"  # the request is carried out, its response is `status`
    # Streams:
    CLOSE_AFTER = "close_after"  # a 200, then a clean end `after` seconds later
    STALL = "stall"  # no bytes, not even keep-alives
    HALF_OPEN = "half_open"  # no bytes and no FIN, ever, as if the peer had vanished
    RESET = "reset"  # half of a message, then RST
    GARBAGE = "garbage"  # a broken JSON line and a binary one; the stream goes on
    RUBBISH = "rubbish"  # lines that are JSON but not posts, and a very long one; the stream goes on
    PROBLEM_LINE = "problem_line"  # a line with a connection issue, then the end
    DISCONNECT = "disconnect"  # an operational-disconnect line, then the end
    CLOSE = "close"  # a clean end
    LAG = "lag"  # posts come `lag_s` late; without a `connection`, on the newest one
    BACKFILL_TWICE = "backfill_twice"  # each post of the next backfill comes twice
    RECOVERY_CUT = "recovery_cut"  # the next recovery ends after `posts` posts
    RECOVERY_STALL = "recovery_stall"  # the next recovery brings nothing and does not end
    PARTIAL_ERRORS = "partial_errors"  # the next posts carry errors of their expansions
    # Slots:
    LINGER = "linger"  # the slot of the next client that disconnects stays taken for `linger_s`
    ZOMBIE = "zombie"  # a connection of `client_ip` takes a slot, for `seconds` or until it is ended


class Then(StrEnum):
    """The possibilities after the last line."""

    CLOSE = "close"
    SILENCE = "silence"  # an open socket without a byte


class Target(StrEnum):
    """The targets of faults of streams."""

    CONNECTS = "connects"  # future ones
    STREAMS = "streams"  # those open now, at once


ANSWERS = frozenset(
    {V2FaultKind.STATUS, V2FaultKind.SLOW_START, V2FaultKind.HEADERS, V2FaultKind.LOST_ANSWER}
)
# Those that always wait; the others strike the open streams unless `on` says otherwise.
WAIT = ANSWERS | {
    V2FaultKind.CLOSE_AFTER,
    V2FaultKind.BACKFILL_TWICE,
    V2FaultKind.RECOVERY_CUT,
    V2FaultKind.RECOVERY_STALL,
    V2FaultKind.PARTIAL_ERRORS,
    V2FaultKind.LINGER,
}
STRIKE_STREAMS = frozenset(V2FaultKind) - WAIT - {V2FaultKind.ZOMBIE}

DISCONNECT_TYPES = (
    "OperationalDisconnect",
    "UpstreamOperationalDisconnect",
    "ForceDisconnect",
    "UpstreamUncleanDisconnect",
    "SlowReader",
    "InternalError",
    "ClientApplicationStateDegraded",
    "InvalidRules",
)
