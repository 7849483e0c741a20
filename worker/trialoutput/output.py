"""Deliver posts in the other form, beside the main output: nothing here ends the worker, or makes it wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from traptor.common.birth import Birth
from traptor.common.files.disk import leaves_room
from traptor.common.files.outboxes import trial_folder
from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.common.messages import TrialReport
from traptor.worker.delivery.delivery import Delivery
from traptor.worker.delivery.sink import Sink
from traptor.worker.outbox.folder import OutboxFolder
from traptor.worker.outbox.message import Outgoing

log = logging.getLogger(__name__)

NAME = "trial"
"""The trial's name in log lines that both outputs write."""

# The trial may still deliver this long after the main output has drained.
_LAST_S = 2.0
# Below this, what waits need not be compared with the free space.
_LITTLE_BYTES = 1 << 20
_NO_ROOM = "it takes too little, and its outbox has no room left"


class TrialOutput:
    """Delivers through an outbox of its own, and drops and counts what that has no room for.

    Used like a Delivery: `gather` and `hand_over` by one thread at a time, the properties by any.
    """

    def __init__(self, birth: Birth, sink: Sink) -> None:
        outbox = birth.settings.outbox
        self.payload = birth.settings.payload
        self._state_dir: Path = outbox.state_dir
        self._folder = OutboxFolder(birth, trial_folder(outbox.state_dir, birth.connection))
        self._delivery = Delivery(birth, sink, self._folder, name=NAME, on_failure=self._failed)
        self._handled_until: Callable[[], float] = lambda: 0.0
        self._dropped = 0
        self._gathered: list[Outgoing] = []
        self._failure = ""  # why it delivers nothing any more
        self._tally = Tally()

    # ---- the thread that brings messages

    def follow(self, handled_until: Callable[[], float]) -> None:
        """Set the function that tells until when everything received was given to `send`."""
        self._handled_until = handled_until
        self._delivery.follow(handled_until)

    def open(self) -> None:
        """Create the outbox, adopt those that were left, and start to look for the output."""
        try:
            self._delivery.open()
        except Exception as error:  # noqa: BLE001  # whatever it is, the main output is not to blame
            self._give_up(error)

    def stream_opened(self) -> None:
        """Record that messages come over a new stream from now on."""
        self._delivery.stream_opened()

    def gather(self, messages: Sequence[Outgoing]) -> None:
        """Take messages that others may follow, until `hand_over`; drop and count them without room."""
        if self._failure or not self._has_room:
            self._drop(len(messages))
        else:
            self._gathered += messages

    def hand_over(self) -> None:
        """Bring what was gathered on its way."""
        messages, self._gathered = self._gathered, []
        if self._failure:
            self._drop(len(messages))
            return
        try:
            self._delivery.hand_over(messages)
        except Exception as error:  # noqa: BLE001  # whatever it is, the main output is not to blame
            self._give_up(error)

    def keep(self) -> None:
        """Commit the gathered messages."""
        if self._failure:
            return
        try:
            self._delivery.keep()
        except Exception as error:  # noqa: BLE001  # whatever it is, the main output is not to blame
            self._give_up(error)

    def drain(self, deadline: float) -> int:
        """Deliver for a moment, at most until `deadline` (monotonic); return how many messages are left."""
        now = time.monotonic()
        until = now if self._failure or self.trouble else min(deadline, now + _LAST_S)
        try:
            left = self._delivery.drain(until)
        except Exception as error:  # noqa: BLE001  # whatever it is, the main output is not to blame
            self._give_up(error)
            return self.backlog
        if left:
            log.warning("posts of the trial wait for the next worker", extra=lifecycle(messages=left))
        return left

    # ---- any thread

    def safe_until(self) -> float:
        """Return the time (monotonic) up to which the trial has lost nothing, unless it takes nothing now."""
        return self._handled_until() if self._failure or not self._has_room else self._delivery.safe_until()

    @property
    def backlog(self) -> int:
        """The number of undelivered messages; 0 once it has failed for good."""
        return 0 if self._failure else self._delivery.backlog

    @property
    def trouble(self) -> str:
        """Why it does not deliver everything now; empty: nothing is known."""
        if self._failure or self._has_room:
            return self._failure or self._delivery.output_trouble
        return self._delivery.output_trouble or _NO_ROOM

    def counts(self) -> dict[str, int]:
        """Return what became of the messages, by outcome."""
        return {**msgspec.structs.asdict(self._delivery.counts), "dropped": self._dropped}

    def report(self) -> TrialReport:
        """Return its state for the master."""
        delivery = self._delivery
        return TrialReport(
            backlog=self.backlog,
            outbox_bytes=delivery.outbox_bytes,
            unconfirmed_since=delivery.unconfirmed_since,
            oldest_at=delivery.oldest_at,
            trouble=self.trouble,
        )

    # ---- steps

    @property
    def _has_room(self) -> bool:
        """True while its outbox takes messages and leaves the disk to that of the main output."""
        waiting = self._delivery.outbox_bytes
        return self._delivery.has_room.is_set() and (
            waiting < _LITTLE_BYTES or leaves_room(self._state_dir, waiting)
        )

    def _drop(self, messages: int) -> None:
        self._dropped += messages
        for _ in range(messages):
            if count := self._tally.add("dropped"):
                log.error("posts are missing in the trial", extra=fields(why=self.trouble, count=count))

    def _give_up(self, error: Exception) -> None:
        log.error("the trial ends until the next worker", exc_info=error)
        self._failure = str(error) or type(error).__name__

    def _failed(self) -> None:
        """Take the end of the delivery's thread, which has been logged."""
        self._failure = "its delivery failed; see the worker's log"
