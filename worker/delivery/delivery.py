"""Bring messages to the sink by way of the outbox: nothing is lost, whatever ends this process.

Messages that came together are handed over together. A sink that takes all of them for good or none of them
delivers them at once. For any other sink a message is in the outbox before it is delivered, and leaves it
afterwards: the messages of some milliseconds are committed as one batch, by the thread that brings them or,
when the stream is quiet, by a small thread of this module. What the sink has no room for waits on disk; once
there is room, it goes out in order, with the live messages in between (worker/delivery/outflow.py).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from traptor.common.birth import Birth
from traptor.common.errors import ExitCode
from traptor.common.files.disk import spare_bytes
from traptor.common.logs.event import fields
from traptor.common.messages import OutboxTrouble
from traptor.common.text import cut
from traptor.worker.delivery.gathering import COMMIT_S, Gathering
from traptor.worker.delivery.intake import Intake
from traptor.worker.delivery.lastkept import LastKept
from traptor.worker.delivery.latency import Latency
from traptor.worker.delivery.marker import Marker
from traptor.worker.delivery.outflow import Outflow
from traptor.worker.delivery.sink import Sink
from traptor.worker.delivery.upkeep import SYNC_S, Every, Upkeep
from traptor.worker.outbox.folder import OutboxFolder
from traptor.worker.outbox.message import DeliveryCounts, Outgoing
from traptor.worker.seen.claims import Claims
from traptor.worker.seen.register import Billed, register_of

log = logging.getLogger(__name__)

_BUSY_PAUSE_S = 0.005
_WATCH_PAUSE_S = 0.05
_IDLE_PAUSE_S = 1.0
_TROUBLE_CHARS = 500
_NONE = Billed(0, 0)


class Delivery:
    """Delivers the messages of one generation, and those that earlier ones left."""

    def __init__(
        self,
        birth: Birth,
        sink: Sink,
        folder: OutboxFolder | None = None,
        *,
        name: str | None = None,
        on_failure: Callable[[], None] | None = None,
    ) -> None:
        """Take the folder of the outboxes, by default the connection's own.

        `name` tells the output from the main one in the log. `on_failure` is called when the delivery fails
        through a bug; by default the process ends, and the next generation continues with its outbox.
        """
        settings = birth.settings.outbox
        self.counts = DeliveryCounts()
        self._handled_until: Callable[[], float] = lambda: 0.0
        self._note: Callable[[], object] = lambda: None
        self._reaches_since: float | None = None
        self._sink = sink
        self._settings = settings
        self._drains = birth.drains
        folder = folder or OutboxFolder(birth)
        self._on_failure = on_failure or _end_the_process
        self._outflow = Outflow(sink, self.counts)
        self._lock = threading.RLock()
        self._intake = Intake(settings.max_bytes)
        self._last_kept = LastKept(sink, settings)
        self._register = register_of(birth, self._last_kept.by) if name is None else None
        self.seen: Callable[[Sequence[int]], list[bool]] = (
            _sees_none if self._register is None else self._register.seen
        )
        """Tells of each post whether a worker of the app took it lately, or it comes before among these."""
        self._gathered = Gathering(
            folder, sink, self._outflow, self._intake, self.counts, self._register, name
        )
        self._marker = Marker(self._gathered)
        self._upkeep = Upkeep(settings, sink, folder, self._outflow, self._register, self._last_kept, name)
        self._look_around = Every(_IDLE_PAUSE_S)
        self._removal = Every(COMMIT_S)
        self._bell = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    # ---- the thread that brings messages

    def follow(self, handled_until: Callable[[], float]) -> None:
        """Set the function that tells until when everything received was given to `send`; 0: nothing was."""
        self._handled_until = handled_until

    def before_keeping(self, note: Callable[[], object]) -> None:
        """Set what is called before messages are delivered or put into the outbox, and once a second."""
        self._note = note
        self._gathered.before_keeping(note)

    def after_keeping(self, note: Callable[[], object]) -> None:
        """Set what is called after posts that came together were kept, and their claims are settled."""
        self._gathered.after_keeping(note)

    def before_settling(self, note: Callable[[], object]) -> None:
        """Set what is called before the app's other workers hear of a post that is not delivered."""
        self._gathered.before_settling(note)

    def open(self) -> None:
        """Create the outbox, adopt those that were left, and connect to the output. Raises SinkError.

        A drain worker, which only delivers what was left, creates none; on a full disk it is created later.
        """
        if not self._drains:
            self._gathered.make_outbox()
        if self._register is not None:
            self._register.open()
            self._register.adopt(self._last_kept.in_output())
        self._upkeep.adopt(time.monotonic())
        self._look_for_room()
        self._reaches_since = time.monotonic()
        self._sink.open(self._outflow)
        self._reaches_since = None
        self._thread.start()

    def stream_opened(self) -> None:
        """Record that messages come over a new stream from now on."""
        self._marker.stream_opened(time.monotonic())
        if self._register is not None:
            with self._lock:
                # An earlier generation may have taken more since this one opened.
                self._register.adopt(self._last_kept.in_output())

    def hand_over(self, messages: Sequence[Outgoing], claims: Claims | None = None) -> None:
        """Take messages that came together, and bring on its way whatever was gathered; never waits.

        Posts come with claims, which are settled when the posts are kept, or dropped as another worker's. If
        messages cannot be kept, `has_room` is cleared: bring no more.
        """
        with self._lock:
            if claims is None:
                messages = [one for one in messages if one.tweet_id is not None or self._sink.takes(one)]
            if messages:
                self._gathered.add(messages, claims)
            elif not self._gathered:
                return
            waited = self._gathered.waits
            if self._gathered.deliver_at_once(self._handled_until):
                self._marker.mark_when_due(self._handled_until)
            elif self._gathered.is_full or self._gathered.is_due(time.monotonic()):
                self._step()
            elif not waited:
                self._bell.set()

    def send(self, message: Outgoing) -> None:
        """Take a message that comes alone."""
        self.hand_over([message])

    def settle(self, claims: Claims) -> None:
        """Settle the claims to posts that are not delivered, but count as taken."""
        with self._lock:
            self._gathered.settle(claims)

    def is_billed(self, posts: Sequence[int], at_s: float) -> bool:
        """Tell whether all of these posts were billed on the UTC day of this unix time."""
        with self._lock:
            return self._register is not None and self._register.is_billed(posts, at_s)

    def bill(
        self,
        posts: Sequence[int],
        included_posts: Sequence[int],
        at_s: float,
        book: Callable[[Billed], object],
    ) -> None:
        """Count posts that X bills though they are not kept.

        `book` is told how many are new, and writes that down before the app's other workers hear of them.
        """
        with self._lock:
            if self._register is not None:
                self._register.bill(posts, included_posts, at_s, book)

    @property
    def billed(self) -> Billed:
        """The posts read so far that X bills (any thread)."""
        return _NONE if self._register is None else self._register.billed

    def keep(self) -> bool:
        """Commit the gathered messages; return False if that fails now, and a sudden end would lose them."""
        with self._lock:
            self._commit()
            return not self._gathered

    def drain(self, deadline: float) -> int:
        """Deliver until `deadline` (monotonic), close, and return how many messages are left for others."""
        self._ended.set()
        self._bell.set()
        if self._thread.ident is not None:
            self._thread.join()
        with self._lock:
            while self.backlog and time.monotonic() < deadline:
                self._step()
                time.sleep(_BUSY_PAUSE_S)
            self._commit()
            self._sink.close()
            return self._leave()

    # ---- any thread

    def stop_waiting(self) -> None:
        """End the wait of `open` for the output."""
        self._sink.stop_waiting()

    @property
    def reaches_since(self) -> float | None:
        """The time since which `open` waits for the output; None when it does not."""
        return self._reaches_since

    @property
    def has_room(self) -> threading.Event:
        """An event that is set while messages of a stream can be kept."""
        return self._intake.has_room

    @property
    def outbox_trouble(self) -> OutboxTrouble | None:
        """The reason why there is no room."""
        return self._intake.trouble

    @property
    def latency(self) -> Latency:
        """How long messages took until they were delivered."""
        return self._outflow.latency

    @property
    def backlog(self) -> int:
        """The number of undelivered messages, including those that earlier generations left."""
        return len(self._gathered) + self._outflow.backlog

    @property
    def outbox_bytes(self) -> int:
        """The number of bytes waiting on disk."""
        return self._outflow.waiting_bytes

    @property
    def unconfirmed_since(self) -> float | None:
        """The time since which the output has confirmed nothing; None: it works."""
        return self._upkeep.unconfirmed_since

    @property
    def oldest_at(self) -> float | None:
        """About when the oldest undelivered message came into an outbox; None: none waits."""
        return self._upkeep.oldest_at

    @property
    def output_trouble(self) -> str:
        """Why the output does not deliver now; empty: nothing is known."""
        return cut(self._sink.trouble, _TROUBLE_CHARS)

    def safe_until(self) -> float:
        """Return the time (monotonic) up to which all received data is delivered or in the outbox."""
        return self.safe_of(self._handled_until())

    def safe_of(self, handled_until: float) -> float:
        """Return up to when data received until `handled_until` is delivered or in the outbox."""
        return self._gathered.safe_until(handled_until)

    # ---- steps

    def _step(self) -> None:
        """Commit what is due, and move what can be moved."""
        if not self._drains:
            self._commit()
        self._marker.mark(self._handled_until)
        self._outflow.pump()
        self._remove_done()
        self._look_for_room()

    def _commit(self) -> None:
        self._note()
        if not (self._gathered and self._gathered.deliver_at_once(self._handled_until)):
            self._gathered.commit()

    def _remove_done(self) -> None:
        """Remove delivered messages from the outbox when no commit does it as well."""
        now = time.monotonic()
        is_due = self._removal.is_due(now) and now - self._gathered.committed_at >= COMMIT_S
        if not is_due and not self._ended.is_set():
            return
        self._removal.done(now)
        self._outflow.remove_done()

    # ---- periodic work

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._wait_for_work()
                now = time.monotonic()
                # A busy producer commits its own batches: a young batch then means that this was just done.
                is_due = not self._gathered or self._gathered.is_due(now)
                if is_due or self._look_around.is_due(now):
                    with self._lock:
                        self._outflow.begin_step()
                        self._step()
                        self._look_around.done(now)
                        self._upkeep.look(lambda: self.backlog, now)
        except Exception:
            log.critical("the delivery failed", exc_info=True)
            self._on_failure()

    def _wait_for_work(self) -> None:
        if not self._gathered:
            self._bell.wait(self._pause_s())
            self._bell.clear()
        if self._gathered:
            self._ended.wait(COMMIT_S)  # lets a batch fill

    def _pause_s(self) -> float:
        if self._outflow.has_late:
            return _BUSY_PAUSE_S if self._outflow.has_moved else _WATCH_PAUSE_S
        if self._outflow.is_busy:
            return _WATCH_PAUSE_S
        return SYNC_S if self._settings.synced else _IDLE_PAUSE_S

    def _look_for_room(self) -> None:
        self._intake.look(self.outbox_bytes, lambda: spare_bytes(self._settings.state_dir))

    def _leave(self) -> int:
        """Close every outbox, and remove those that are empty."""
        self._remove_done()
        left = self.backlog
        if lost := len(self._gathered):
            log.critical("messages are lost: the outbox could not be written", extra=fields(count=lost))
        self._gathered.let_go()
        self._outflow.let_go()
        if self._register is not None:
            self._register.close()
        return left


def _sees_none(posts: Sequence[int]) -> list[bool]:
    return [False] * len(posts)


def _end_the_process() -> None:
    # the messages in the outbox are safe; the next generation continues with it
    os._exit(ExitCode.FAILURE)
