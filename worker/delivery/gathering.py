"""Gather messages on their way into the outbox; those of some milliseconds are committed as one batch."""

from __future__ import annotations

import logging
import time

from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.common.messages import OutboxTrouble
from traptor.worker.delivery.intake import Intake
from traptor.worker.delivery.outflow import Outflow
from traptor.worker.delivery.waiting import Waiting
from traptor.worker.outbox.folder import OutboxFolder
from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import DiskFull, OutboxError

log = logging.getLogger(__name__)

COMMIT_S = 0.025
_BATCH_MESSAGES = 256
_BATCH_BYTES = 1 << 20
_TRY_AGAIN_S = 1.0


class Gathering:
    """Gathers messages and keeps them in the generation's own outbox; used by one thread at a time.

    While they cannot be kept they stay in memory, and the intake is closed.
    """

    def __init__(
        self, folder: OutboxFolder, outflow: Outflow, intake: Intake, name: str | None = None
    ) -> None:
        self._which = {} if name is None else {"output": name}  # in the log: not the main output
        self._committed_at = 0.0
        self._own: Waiting | None = None
        self._folder = folder
        self._outflow = outflow
        self._intake = intake
        self._messages: list[Outgoing] = []
        self._bytes = 0
        self._since = 0.0
        self._safe_until = 0.0  # everything received until then was gathered before the first message
        self._not_before = 0.0
        self._tally = Tally()

    @property
    def own(self) -> Waiting | None:
        """The generation's own outbox; None while none could be created."""
        return self._own

    @property
    def committed_at(self) -> float:
        """The time at which messages were last put into the outbox."""
        return self._committed_at

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Outgoing, handled_until: float) -> bool:
        """Gather a message; everything received until `handled_until` was handled before it.

        Return whether it is time to commit.
        """
        now = time.monotonic()
        if not self._messages:
            self._since, self._safe_until = now, handled_until
        self._messages.append(message)
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
        if time.monotonic() < self._not_before:
            return
        own = self._own if self._own is not None else self.make_outbox()
        if own is None or not self._messages:
            return
        gone = self._outflow.done(own.outbox)
        try:
            batch = own.outbox.put(self._messages, gone)
        except OutboxError as error:
            self._cannot_keep(error)
            return
        self._outflow.forget_done(own.outbox, gone)
        self._committed_at = time.monotonic()
        self._outflow.begin(own, batch, self._messages)
        self._messages, self._bytes = [], 0
        self._can_keep()

    def make_outbox(self) -> Waiting | None:
        """Create the outbox, after all others; None, with a later retry, on a full disk. Raises SinkError."""
        try:
            self._own = Waiting(self._folder.create(), is_adopted=False)
        except OutboxError as error:
            self._cannot_keep(error)
            return None
        self._outflow.add_own(self._own)
        if not self._messages:
            self._can_keep()
        return self._own

    def let_go(self) -> None:
        """Forget the outbox; its owner closes it."""
        self._own = None

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
