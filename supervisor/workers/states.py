"""The states of connections and generations, and the moves that a generation may make."""

from __future__ import annotations

from enum import StrEnum

from traptor.common.errors import ProtocolError


class ConnectionState(StrEnum):
    """The states of a planned connection, with or without a running generation."""

    QUIET = "QUIET"  # no rules
    WAITING_FOR_KEY = "WAITING_FOR_KEY"
    BACKOFF = "BACKOFF"  # its worker crashed; the next one is forked later
    REFUSED = "REFUSED"  # the server refuses its rules
    CAPPED = "CAPPED"  # a cap on its app's reads or dollars is reached (v2)
    STOPPED = "STOPPED"  # by the operator
    UP = "UP"


class GenerationState(StrEnum):
    """The life of one worker process."""

    STARTING = "STARTING"
    READY = "READY"
    CONNECTING = "CONNECTING"
    STREAMING = "STREAMING"
    OUTBOX_FULL = "OUTBOX_FULL"
    DRAINING = "DRAINING"
    GONE = "GONE"


S = GenerationState
MOVES: frozenset[tuple[GenerationState, GenerationState]] = frozenset(
    {
        (S.STARTING, S.READY),
        (S.READY, S.CONNECTING),
        (S.CONNECTING, S.STREAMING),
        (S.CONNECTING, S.READY),
        (S.STREAMING, S.READY),
        (S.STREAMING, S.OUTBOX_FULL),
        (S.READY, S.OUTBOX_FULL),
        (S.OUTBOX_FULL, S.READY),
    }
    | {(state, S.DRAINING) for state in S if state not in (S.DRAINING, S.GONE)}
    | {(state, S.GONE) for state in S if state is not S.GONE}
)


def check_move(old: GenerationState, new: GenerationState) -> None:
    """Raise ProtocolError when a generation may not go from `old` to `new`."""
    if (old, new) not in MOVES:
        raise ProtocolError(f"{old} -> {new} is not a legal move")
