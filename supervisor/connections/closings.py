"""Apply that a worker closed its stream, or lost it, to its connection, its key, and the record of gaps."""

from __future__ import annotations

from dataclasses import dataclass

from traptor.common.messages import Disconnected, DisconnectKind
from traptor.supervisor.connections.appnews import CAUSES, AppNews
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.handover import Way
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.gaps.start import safe_until, until_successor
from traptor.supervisor.workers.generation import PUT_DOWN, Generation
from traptor.supervisor.workers.states import GenerationState
from traptor.supervisor.xapi.cures import cure_of

_CAUSE_OF_KIND = {
    DisconnectKind.SERVER_CLOSE: GapCause.SERVER_CLOSE,
    DisconnectKind.NETWORK: GapCause.NETWORK,
    DisconnectKind.STALL: GapCause.STALL,
    DisconnectKind.HTTP: GapCause.NETWORK,
    DisconnectKind.WORKER: GapCause.CRASH,
    DisconnectKind.OUTBOX_FULL: GapCause.OUTBOX_FULL,
}


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The end of an open stream: what the worker told, whose key it had, for how long, and why it ended."""

    message: Disconnected
    key_id: str
    streamed_s: float
    cause: GapCause


class Closings:
    """Decides whether the end of a stream is a gap, since when, and who is to blame for it."""

    def __init__(self, context: Context, news: AppNews) -> None:
        self._context = context
        self._news = news

    def closed(self, c: Connection, g: Generation, end: StreamEnd) -> None:
        """Record the end of an open stream."""
        message, cause = end.message, end.cause
        is_overlapped = c.handover.way is Way.OVERLAP and g is c.serving and _is_connecting(c.successor)
        is_ours = is_overlapped or g in c.leaving or g.state is GenerationState.DRAINING
        kind = DisconnectKind.OWN_CLOSE if is_ours else message.kind
        self._context.pool.records.stream_ended(end.key_id, message.at, end.streamed_s, kind)
        cure = cure_of(message) if c.app is not None and not is_ours else None
        if cure is not None:
            cause = CAUSES[cure]
            self._news.cure(c, g, cure, message, message.at)
        if is_overlapped:
            c.handover.overlap_closed(g, message)
        else:
            c.gaps.stopped(g.birth.generation, cause, instant(_ended_at(c, g, message)), message.problem)


def cause_of_end(c: Connection, g: Generation, kind: DisconnectKind, *, is_stopping: bool) -> GapCause:
    """Return why the stream of a generation ended, before the generation is told of it."""
    if is_stopping:
        return GapCause.SHUTDOWN
    if c.is_stopped and kind is DisconnectKind.OWN_CLOSE:
        return GapCause.OPERATOR_STOP
    if g.closing is not None:
        return g.closing
    if g in c.leaving and kind is DisconnectKind.OWN_CLOSE:
        return GapCause.REFRESH
    if kind is not DisconnectKind.OWN_CLOSE:
        return _CAUSE_OF_KIND[kind]
    if g.ending in PUT_DOWN:
        return GapCause.HUNG
    # Drained because it lost its key; or a TERM from elsewhere.
    return GapCause.NO_KEY if c.lease is None else GapCause.CRASH


def _ended_at(c: Connection, g: Generation, message: Disconnected) -> float:
    """Return until when the stream counts (monotonic seconds)."""
    if g in c.leaving and c.streaming_since is not None:
        return until_successor(message, c.streaming_since, in_overlap=g.overlaps)
    if not c.is_planned and message.kind is DisconnectKind.OWN_CLOSE:
        return message.at  # we closed it because the connection is not wanted any more: no gap
    return safe_until(message)


def _is_connecting(g: Generation | None) -> bool:
    return g is not None and g.state is GenerationState.CONNECTING
