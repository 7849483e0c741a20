"""Gather messages on their way into the outbox; those of some milliseconds are committed as one batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.common.messages import OutboxTrouble
from traptor.worker.delivery.intake import Intake
from traptor.worker.delivery.outflow import Outflow
from traptor.worker.delivery.sink import Sink
from traptor.worker.delivery.waiting import WaitingBatches
from traptor.worker.outbox.folder import OutboxFolder
from traptor.worker.outbox.message import DeliveryCounts, Outgoing
from traptor.worker.outbox.outbox import DiskFull, OutboxError
from traptor.worker.seen.claim import Claim
from traptor.worker.seen.register import Register

log = logging.getLogger(__name__)

COMMIT_S = 0.025
_BATCH_MESSAGES = 256
_BATCH_BYTES = 1 << 20
_TRY_AGAIN_S = 1.0


class Gathering:
    """Gathers messages and keeps them in the generation's own outbox; used by one thread at a time.

    While they cannot be kept they stay in memory, and the intake is closed. Messages that come with a claim
    are kept, and recorded as taken, in one turn of the register; those that another worker has taken by then
    are dropped.
    """

    def __init__(
        self,
        folder: OutboxFolder,
        sink: Sink,
        outflow: Outflow,
        intake: Intake,
        counts: DeliveryCounts,
        register: Register | None,
        name: str | None = None,
    ) -> None:
        self._which = {} if name is None else {"output": name}  # in the log: not the main output
        self._committed_at = 0.0
        self._own: WaitingBatches | None = None
        self._is_over = False
        self._folder = folder
        self._sink = sink
        self._outflow = outflow
        self._intake = intake
        self._counts = counts
        self._register = register
        self._messages: list[Outgoing] = []
        self._claims: list[Claim] = []  # one for each message, or none at all
        self._bytes = 0
        self._since = 0.0
        self._safe_until = 0.0  # everything received until then was gathered before the first message
        self._not_before = 0.0
        self._tally = Tally()
        self._note: Callable[[], object] = lambda: None

    def before_keeping(self, note: Callable[[], object]) -> None:
        """Set what is called before messages are delivered or put into the outbox."""
        self._note = note

    @property
    def own(self) -> WaitingBatches | None:
        """The generation's own outbox; None while none could be created."""
        return self._own

    @property
    def committed_at(self) -> float:
        """The time at which messages were last put into the outbox."""
        return self._committed_at

    def __len__(self) -> int:
        return len(self._messages)

    def deliver_at_once(self, message: Outgoing, claim: Claim | None) -> bool:
        """Have the sink deliver a message for good now; return False if that is impossible now."""
        if claim is None:
            return self._deliver_at_once(message)
        if not self._sink.may_deliver_at_once(message):
            return False  # before it is billed: another worker may take it
        assert self._register is not None
        return self._register.take_one(claim, self._deliver_at_once, message)

    def settle(self, claim: Claim) -> None:
        """Settle the claim to a post that is not delivered."""
        assert self._register is not None
        self._register.take([claim], lambda _ours: True)

    def add(self, message: Outgoing, claim: Claim | None, handled_until: float) -> bool:
        """Gather a message; everything received until `handled_until` was handled before it.

        Return whether it is time to commit.
        """
        now = time.monotonic()
        if not self._messages:
            self._since, self._safe_until = now, handled_until
        self._messages.append(message)
        if claim is None:
            self._counts.accepted += 1
        else:
            assert self._register is not None
            self._register.take_in_hand(claim)
            self._claims.append(claim)
        self._bytes += len(message.body)
        return len(self._messages) >= _BATCH_MESSAGES or self._bytes >= _BATCH_BYTES or self.is_due(now)

    def is_due(self, now: float) -> bool:
        """Tell whether the first message has waited as long as it may."""
        return now - self._since >= COMMIT_S

    def safe_until(self, handled_until: float) -> float:
        """Return the time up to which data received until `handled_until` is safe (any thread).

        Gathered messages are not: they came after the first one did, however much later they were handled.
        """
        return min(handled_until, self._safe_until) if self._messages else handled_until

    def commit(self) -> None:
        """Keep the gathered messages, and let them go out; after a failure, not again at once."""
        if self._is_over or time.monotonic() < self._not_before:
            return
        own = self._own if self._own is not None else self.make_outbox()
        if own is None or not self._messages:
            return
        if self._keep(own):
            self._messages, self._claims, self._bytes = [], [], 0
            self._can_keep()

    def make_outbox(self) -> WaitingBatches | None:
        """Create the outbox, after all others; None, with a later retry, on a full disk. Raises SinkError."""
        try:
            self._own = WaitingBatches(self._folder.create(), is_adopted=False)
        except OutboxError as error:
            self._cannot_keep(error)
            return None
        self._outflow.add_own(self._own)
        if not self._messages:
            self._can_keep()
        return self._own

    def let_go(self) -> None:
        """Forget the outbox, and make no other; its owner closes it."""
        self._own = None
        self._is_over = True

    def _keep(self, own: WaitingBatches) -> bool:
        if not self._claims:
            return self._put(own, self._messages)
        assert self._register is not None
        return self._register.take(self._claims, lambda ours: self._keep_ours(own, ours))

    def _keep_ours(self, own: WaitingBatches, ours: Sequence[bool]) -> bool:
        messages = [message for message, is_ours in zip(self._messages, ours, strict=True) if is_ours]
        if messages and not self._put(own, messages):
            return False
        self._counts.accepted += len(messages)
        return True

    def _put(self, own: WaitingBatches, messages: Sequence[Outgoing]) -> bool:
        self._note()
        gone = self._outflow.done(own.outbox)
        try:
            batch = own.outbox.put(messages, gone)
        except OutboxError as error:
            self._cannot_keep(error)
            return False
        self._outflow.forget_done(own.outbox, gone)
        self._committed_at = time.monotonic()
        self._outflow.begin(own, batch, messages, self._since)
        return True

    def _deliver_at_once(self, message: Outgoing) -> bool:
        self._note()
        is_done = self._sink.deliver_at_once(message)
        self._counts.accepted += is_done
        self._counts.delivered += is_done
        self._outflow.latency.at_once += is_done
        return is_done

    def _cannot_keep(self, error: OutboxError) -> None:
        self._not_before = time.monotonic() + _TRY_AGAIN_S
        trouble = OutboxTrouble.DISK if isinstance(error, DiskFull) else OutboxTrouble.BROKEN
        self._intake.refused(trouble, self._outflow.waiting_bytes)
        if count := self._tally.add("not kept"):
            about = fields(error=str(error), in_memory=len(self._messages), count=count, **self._which)
            log.error("the outbox cannot be written", extra=about)

    def _can_keep(self) -> None:
        if not self._intake.is_kept:
            self._intake.kept()
            log.info("the outbox can be written again", extra=lifecycle(**self._which))
