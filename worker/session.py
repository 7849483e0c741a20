"""The worker's main thread: wait for an order, stream once, ask again, and drain at the end."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from traptor.common.birth import Birth
from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.worker import WorkerLogs
from traptor.common.messages import (
    Activity,
    Close,
    Connect,
    Connected,
    Disconnected,
    DisconnectKind,
    Drain,
    Drained,
    FromMaster,
    FromWorker,
    MayConnect,
    OutboxFull,
    OutboxTrouble,
    Ready,
    RecoverPiece,
    Reopen,
    Report,
    Rules,
    SearchPiece,
    TakeSample,
)
from traptor.worker.afterfork import give_memory_back, set_title
from traptor.worker.credentials import masked, secrets_of
from traptor.worker.current import CurrentStream, Ends
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.fills.filler import Filler, Piece
from traptor.worker.phase import Phase
from traptor.worker.pipeline import Pipeline
from traptor.worker.stream.byapi import STREAMS

log = logging.getLogger(__name__)

# While a response's headers are awaited nothing can interrupt the main thread; after this long the link
# thread drains in its place: no message is in hand then.
_UNINTERRUPTIBLE_S = 0.5
_ROOM_LOOK_S = 0.1
_TROUBLES = {
    OutboxTrouble.LIMIT: "outbox_max_bytes is reached",
    OutboxTrouble.DISK: "the disk of state_dir is full",
    OutboxTrouble.BROKEN: "it cannot be written",
}


class Session:
    """Serves one connection with one generation. The link thread calls `order` and `report`."""

    def __init__(
        self,
        birth: Birth,
        delivery: Delivery,
        pipeline: Pipeline,
        logs: WorkerLogs,
        post: Callable[[FromWorker], None],
    ) -> None:
        """Take the pipeline that handles messages, and the delivery that it gives them to."""
        self._birth = birth
        self._delivery = delivery
        self._pipeline = pipeline
        self._logs = logs
        self._post = post
        self._orders: queue.SimpleQueue[Connect | Drain] = queue.SimpleQueue()
        self._current = CurrentStream()
        self._phase = Phase(time.monotonic())
        self._ends = Ends()
        self._backfills = False
        self._filler: Filler | None = None  # of the link thread, from the first piece on
        self._drain_by: float | None = None
        self._end = threading.Lock()  # taken by whichever thread drains
        self._ended = threading.Event()

    # ---- the main thread

    def run(self) -> None:
        """Serve until a Drain came and was carried out."""
        self._pipeline.follow(self._current.handled_until)
        self._pipeline.open()
        self._post(Ready())
        log.info("ready", extra=lifecycle(rules=len(self._birth.rules)))
        while self._drain_by is None:
            if self._delivery.has_room.is_set():
                self._ask_to_connect()
            else:
                self._wait_for_room()
        self._drain()

    def _ask_to_connect(self) -> None:
        self._enter(Activity.WAITING, "ready")
        self._post(MayConnect())
        order = self._orders.get()
        if isinstance(order, Connect):
            self._serve(order)

    def _wait_for_room(self) -> None:
        self._enter(Activity.SINK, "outbox full")
        said: OutboxTrouble | None = None
        while self._drain_by is None:
            trouble = self._delivery.outbox_trouble
            if trouble is not None and trouble is not said:
                said = trouble
                self._post(OutboxFull(trouble))
                log.error("no stream until the outbox has room", extra=lifecycle(why=_TROUBLES[trouble]))
            if self._delivery.has_room.wait(_ROOM_LOOK_S):
                log.info("the outbox has room again", extra=lifecycle())
                return

    def _serve(self, order: Connect) -> None:
        self._enter(Activity.READING, "connecting")
        self._logs.know(secrets_of(order))
        log.info("connecting", extra=fields(key=order.key_name, source_address=order.source_address))
        stream = STREAMS[self._birth.settings.api](
            order,
            self._birth.settings,
            on_open=self._opened,
            on_lines=self._take_lines,
            on_refused=lambda refused: self._post(masked(refused, order)),
        )
        self._backfills = order.backfill_minutes > 0
        self._current.begin(stream)
        if self._drain_by is not None:
            return  # it came before there was a stream to stop
        ended = stream.run(self._birth.rules)
        self._current.leave()
        self._backfills = False
        ended = self._dated(masked(ended, order))
        if ended.streamed:
            ended = msgspec.structs.replace(ended, problem=self._pipeline.problem)
        self._current.ended(ended.last_byte_at)
        self._ends.tell(ended, order.key_name)
        is_refused = ended.status is not None and not ended.streamed
        if not is_refused:
            self._post(ended)

    def _dated(self, ended: Disconnected) -> Disconnected:
        """Date the end to when everything received was safe: what was read last may be in memory only."""
        is_kept = self._pipeline.keep()
        if not ended.streamed or (is_kept and ended.kind is not DisconnectKind.OUTBOX_FULL):
            return ended
        until = min(ended.at, max(self._delivery.safe_until(), self._current.connected_at))
        return msgspec.structs.replace(ended, at=until, last_byte_at=until, safe_until=until)

    def _opened(self) -> None:
        self._pipeline.stream_opened()
        at = self._current.opened_at
        if self._backfills:
            self._pipeline.expect_past(time.time() - (time.monotonic() - at))
        self._current.opened(at)
        self._post(Connected(at, self._current.headers))
        self._enter(Activity.READING, "streaming")
        log.info("streaming", extra=lifecycle())
        give_memory_back()

    def _take_lines(self, lines: Sequence[bytes]) -> None:
        now = time.monotonic()
        self._current.message_came(now)
        self._phase.message_came(now)
        try:
            self._pipeline.handle(lines)
        finally:
            self._phase.message_handled()
        if self._pipeline.is_over:
            self._current.stop(DisconnectKind.SERVER_CLOSE)
        if not self._delivery.has_room.is_set():
            self._current.stop(DisconnectKind.OUTBOX_FULL)

    def _enter(self, activity: Activity, title: str) -> None:
        self._phase.enter(activity, time.monotonic())
        set_title(self._birth.connection, title)

    def _drain(self) -> bool:
        if not self._end.acquire(blocking=False):
            self._ended.wait()  # the other thread drains already
            return False
        self._enter(Activity.DRAINING, "draining")
        undelivered = self._pipeline.drain(self._drain_by or time.monotonic())
        log.info("drained", extra=lifecycle(undelivered=undelivered))
        self._post(self.report())  # with the last counts: nothing is reported after the next message
        self._post(Drained(undelivered))
        self._ended.set()
        return True

    # ---- the link thread, or a signal

    def order(self, message: FromMaster) -> None:
        """Take an order from the master."""
        match message:
            case Connect():
                self._orders.put(message)
            case Close():
                self._close()
            case Rules():
                self._pipeline.change_rules(message)
            case SearchPiece() | RecoverPiece():
                self._fill(message)
            case Drain():
                self._drain_soon(message)
            case TakeSample():
                for piece in self._pipeline.sampler.take(time.monotonic()):
                    self._post(piece)
            case Reopen():
                self._logs.reopen()

    def _close(self) -> None:
        """End what X sends: the live stream, and a recovery job, which a cap that is reached ends too."""
        if self._filler is not None:
            self._filler.end_recovery()
        self._current.stop()

    def _fill(self, piece: Piece) -> None:
        if self._drain_by is not None:
            return
        if self._filler is None:
            pipeline = self._pipeline
            self._filler = Filler(
                self._birth.settings,
                pipeline,
                self._delivery.has_room.is_set,
                pipeline.keep,
                self._logs.know,
                self._post,
            )
        self._filler.order(piece)

    def _drain_soon(self, message: Drain) -> None:
        self._drain_by = time.monotonic() + message.deadline_s
        self._orders.put(message)
        if self._filler is not None:
            self._filler.stop()
        self._current.stop()
        self._delivery.stop_waiting()

    def drained_instead(self) -> bool:
        """Drain in the main thread's place when a connect that cannot be interrupted holds it."""
        since = self._phase.reading_since
        if self._drain_by is None or since is None or not self._current.is_uninterruptible:
            return False
        return time.monotonic() - since >= _UNINTERRUPTIBLE_S and self._drain()

    def report(self) -> Report:
        """Return what the main thread does now and has done."""
        if self._backfills and (past := self._pipeline.past_taken(self._delivery.safe_until())) is not None:
            self._post(past)
        activity, since = self._phase.activity(self._delivery.reaches_since)
        redis_state, redis_error = self._pipeline.redis
        return Report(
            at=time.monotonic(),
            activity=activity,
            activity_since=since,
            last_byte_at=self._current.last_byte_at,
            safe_until=self._delivery.safe_until(),
            backlog=self._delivery.backlog,
            outbox_bytes=self._delivery.outbox_bytes,
            unconfirmed_since=self._delivery.unconfirmed_since,
            oldest_at=self._delivery.oldest_at,
            output_trouble=self._delivery.output_trouble,
            counters=self._pipeline.counters(log_lost=self._logs.lost),
            redis_state=redis_state,
            redis_error=redis_error,
            rules_change=self._pipeline.rules_change,
            seen_filters=self._pipeline.newly_seen_filters(),
            trial=self._pipeline.trial_report(),
        )
