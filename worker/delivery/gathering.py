"""Gather messages that came together: the sink delivers them at once, or they are committed as one batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

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
from traptor.worker.seen.claims import Claims, Ours, only
from traptor.worker.seen.register import Register

log = logging.getLogger(__name__)

COMMIT_S = 0.025
_BATCH_MESSAGES = 256
_BATCH_BYTES = 1 << 20
_TRY_AGAIN_S = 1.0

_Keep = Callable[[Sequence[Outgoing]], bool]


class Gathering:
    """Gathers messages and keeps them, with the sink or in the generation's own outbox; one thread at a time.

    What the sink cannot deliver at once is to be committed, with what comes until then. While messages cannot
    be kept they stay in memory, and the intake is closed. Messages that come with claims are kept, and
    recorded as taken, in one turn of the register; those that another worker has taken by then are dropped.
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
        self._claims: list[Claims] = []  # of all messages, or none at all
        self._bytes = 0  # counted while they wait
        self._waits = False
        self._since = 0.0
        self._safe_until = 0.0  # everything received until then was gathered before the first message
        self._not_before = 0.0
        self._tally = Tally()
        self._note: Callable[[], object] = lambda: None
        self._note_after: Callable[[], object] = lambda: None
        self._note_others: Callable[[], object] = lambda: None

    def before_keeping(self, note: Callable[[], object]) -> None:
        """Set what is called before messages are delivered or put into the outbox."""
        self._note = note

    def after_keeping(self, note: Callable[[], object]) -> None:
        """Set what is called after messages that came with claims were kept, and these are settled."""
        self._note_after = note

    def before_settling(self, note: Callable[[], object]) -> None:
        """Set what is called before claims to posts that are not delivered are settled."""
        self._note_others = note

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

    @property
    def waits(self) -> bool:
        """True when gathered messages are to be committed, as the sink could not deliver them at once."""
        return self._waits

    @property
    def is_full(self) -> bool:
        """True when as many are gathered as may be kept at once."""
        return len(self._messages) >= _BATCH_MESSAGES or self._bytes >= _BATCH_BYTES

    def settle(self, claims: Claims) -> None:
        """Settle the claims to posts that are not delivered."""
        assert self._register is not None
        self._register.take([claims], self._keep_none)

    def add(self, messages: Sequence[Outgoing], claims: Claims | None) -> None:
        """Gather messages, with the claims to all of them."""
        if not self._messages:
            self._since = time.monotonic()
        self._messages += messages
        if self._waits:
            self._bytes += _bytes_of(messages)
        if claims is None:
            self._counts.accepted += len(messages)
        else:
            assert self._register is not None
            self._register.take_in_hand(claims.posts)
            self._claims.append(claims)

    def is_due(self, now: float) -> bool:
        """Tell whether the first message has waited as long as it may."""
        return now - self._since >= COMMIT_S

    def safe_until(self, handled_until: float) -> float:
        """Return the time up to which data received until `handled_until` is safe (any thread).

        Messages that wait are not: they came after the first one did, however much later they were handled.
        Until they are handed over, nothing that came with them counts as handled.
        """
        return min(handled_until, self._safe_until) if self._waits else handled_until

    def deliver_at_once(self, handled_until: Callable[[], float]) -> bool:
        """Have the sink deliver what is gathered for good now; return False if it is to be committed.

        Everything received until `handled_until` was handled before it.
        """
        if self._waits:
            return False
        # Asked before they are billed: if they must wait, another worker may take them.
        if self._sink.may_deliver_at_once(self._messages) and self._keep(self._deliver):
            self._forget()
            return True
        self._safe_until = handled_until()
        self._waits, self._bytes = True, _bytes_of(self._messages)
        return False

    def commit(self) -> None:
        """Keep the gathered messages, and let them go out; after a failure, not again at once."""
        if self._is_over or time.monotonic() < self._not_before:
            return
        own = self._own if self._own is not None else self.make_outbox()
        if own is None or not self._messages:
            return
        if self._keep(partial(self._put, own)):
            self._forget()
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

    def _keep(self, keep: _Keep) -> bool:
        if not self._claims:
            return keep(self._messages)
        assert self._register is not None
        is_kept = self._register.take(self._claims, partial(self._keep_ours, keep))
        if is_kept:
            self._note_after()
        return is_kept

    def _keep_ours(self, keep: _Keep, ours: Ours) -> bool:
        messages = only(ours, self._messages)
        if messages and not keep(messages):
            return False
        self._counts.accepted += len(messages)
        return True

    def _forget(self) -> None:
        self._messages, self._claims, self._bytes, self._waits = [], [], 0, False

    def _keep_none(self, _ours: Ours) -> bool:
        self._note_others()
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

    def _deliver(self, messages: Sequence[Outgoing]) -> bool:
        self._note()
        if not self._sink.deliver_at_once(messages):
            return False
        self._counts.delivered += len(messages)
        self._outflow.latency.at_once += len(messages)
        return True

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


def _bytes_of(messages: Sequence[Outgoing]) -> int:
    return sum([len(message.body) for message in messages])
