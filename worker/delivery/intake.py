"""Decide whether a stream may bring messages: not while they cannot be kept, nor while too many wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from traptor.common.messages import OutboxTrouble

# There is room again when no more than this share of the waiting messages is left.
_ROOM_SHARE = 0.9
# Or, after a full disk, when outboxes may take this much more of it.
_SPARE_BYTES = 2 << 20


class Intake:
    """Opened and closed by the thread that holds the delivery's lock; any thread may read `has_room`."""

    def __init__(self, max_bytes: int) -> None:
        self.has_room = threading.Event()
        self.trouble: OutboxTrouble | None = None  # why there is no room
        self._max_bytes = max_bytes
        self._is_kept = True
        self._open_at_bytes = 0.0

    @property
    def is_kept(self) -> bool:
        """True when the last message could be kept."""
        return self._is_kept

    def refused(self, trouble: OutboxTrouble, waiting_bytes: int) -> None:
        """Close: a message could not be kept, while this much waited."""
        if self._is_kept:
            self._open_at_bytes = _ROOM_SHARE * waiting_bytes
        self._is_kept, self.trouble = False, trouble
        self.has_room.clear()

    def kept(self) -> None:
        """Record that everything received is kept now."""
        self._is_kept = True

    def look(self, waiting_bytes: int, spare_bytes: Callable[[], int]) -> None:
        """Close or open by the waiting bytes, and by the spare disk space, queried only if needed."""
        if waiting_bytes >= self._max_bytes and self._is_kept:
            self.trouble, self._open_at_bytes = OutboxTrouble.LIMIT, _ROOM_SHARE * self._max_bytes
            self.has_room.clear()
        elif not self.has_room.is_set() and self._may_open(waiting_bytes, spare_bytes):
            self.trouble = None
            self.has_room.set()

    def _may_open(self, waiting_bytes: int, spare_bytes: Callable[[], int]) -> bool:
        if not self._is_kept or waiting_bytes >= self._max_bytes:
            return False
        match self.trouble:
            case OutboxTrouble.DISK:  # a stream opened for the last free page would soon be closed again
                return waiting_bytes <= self._open_at_bytes or spare_bytes() >= _SPARE_BYTES
            case OutboxTrouble.LIMIT:
                return waiting_bytes <= self._open_at_bytes
            case _:
                return True
