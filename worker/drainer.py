"""Live as the main thread of a drain worker: deliver what earlier generations left, and end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from traptor.common.birth import Birth
from traptor.common.counts import Counters
from traptor.common.logs.event import lifecycle
from traptor.common.logs.worker import WorkerLogs
from traptor.common.messages import Activity, Drain, Drained, FromMaster, FromWorker, Reopen, Report
from traptor.worker.afterfork import set_title
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.trialoutput.output import TrialOutput

log = logging.getLogger(__name__)

_LOOK_S = 0.1
_CLOSE_S = 2.0


class Drainer:
    """Serves no stream. `order` and `report` are called by the link thread."""

    def __init__(
        self,
        birth: Birth,
        delivery: Delivery,
        trial: TrialOutput | None,
        logs: WorkerLogs,
        post: Callable[[FromWorker], None],
    ) -> None:
        self._birth = birth
        self._delivery = delivery
        self._trial = trial
        self._logs = logs
        self._post = post
        self._since = time.monotonic()
        self._drain_by: float | None = None
        self._told = threading.Event()

    # ---- the main thread

    def run(self) -> None:
        """Deliver until nothing is left, or until the deadline of a Drain. Raises SinkError."""
        set_title(self._birth.connection, "draining")
        self._delivery.open()
        if self._trial is not None:
            self._trial.open()
        log.info("delivering what was left", extra=lifecycle(messages=self._backlog))
        while self._backlog and not self._told.wait(_LOOK_S):
            pass
        deadline = time.monotonic() + _CLOSE_S if self._drain_by is None else self._drain_by
        undelivered = self._delivery.drain(deadline)
        if self._trial is not None:
            self._trial.drain(deadline)
        log.info("drained", extra=lifecycle(undelivered=undelivered))
        self._post(self.report())
        self._post(Drained(undelivered))

    @property
    def _backlog(self) -> int:
        """The messages to wait for; those of a trial in trouble wait for another drain worker instead."""
        trial = self._trial
        of_trial = 0 if trial is None or trial.trouble else trial.backlog
        return self._delivery.backlog + of_trial

    # ---- the link thread, or a signal

    def order(self, message: FromMaster) -> None:
        """Take an order from the master."""
        match message:
            case Drain():
                self._drain_by = time.monotonic() + message.deadline_s
                self._told.set()
                self._delivery.stop_waiting()
            case Reopen():
                self._logs.reopen()

    def drained_instead(self) -> bool:
        """Return False: nothing ever blocks this main thread."""
        return False

    def report(self) -> Report:
        """Return what was delivered so far."""
        counts = self._delivery.counts
        return Report(
            at=time.monotonic(),
            activity=Activity.DRAINING,
            activity_since=self._since,
            last_byte_at=0.0,
            safe_until=0.0,
            backlog=self._delivery.backlog,
            outbox_bytes=self._delivery.outbox_bytes,
            unconfirmed_since=self._delivery.unconfirmed_since,
            oldest_at=self._delivery.oldest_at,
            output_trouble=self._delivery.output_trouble,
            counters=Counters(
                redelivered=counts.redelivered,
                dead_letters=counts.dead_letters,
                log_lost=self._logs.lost,
                trial={} if self._trial is None else self._trial.counts(),
            ),
            trial=None if self._trial is None else self._trial.report(),
        )
