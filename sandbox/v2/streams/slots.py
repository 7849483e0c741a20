"""The connections that hold an app's slots: open streams, and those of clients that vanished unnoticed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from uuid import uuid4

from traptor.sandbox.clock import Clock, Instant
from traptor.sandbox.v2.faults.lines import disconnect_line
from traptor.sandbox.v2.problems import Spelling
from traptor.sandbox.v2.streams.stream import PostStream, StreamRecord
from traptor.sandbox.wire.queue import ClosedBy, Message
from traptor.sandbox.wire.register import Register

KEEP_CONNECTIONS = 100_000
KILLED = "ForceDisconnect"


class Slots(Register[PostStream]):
    """The register of v2 connections."""

    def __init__(
        self, next_id: Callable[[], int], linger_s: Callable[[str], float], spelling: Spelling, clock: Clock
    ) -> None:
        super().__init__(clock)
        self._next_id = next_id
        self._linger_s = linger_s  # of the client of an app that disconnects now
        self._spelling = spelling
        self._holders: dict[str, StreamRecord] = {}  # by uuid: all that hold a slot, or recently did
        self.records: deque[StreamRecord] = deque(maxlen=KEEP_CONNECTIONS)

    def live(self, app: str) -> list[PostStream]:
        """Return the app's open streams of new posts, the oldest first."""
        return [one for one in self.open(app) if not one.record.is_recovery]

    def new_record(
        self,
        app: str,
        peer: tuple[str, int],
        query: dict[str, str],
        *,
        is_gzip: bool = False,
        is_recovery: bool = False,
    ) -> StreamRecord:
        """Return the record of a connection that opens now; it holds a slot from now on."""
        record = StreamRecord(
            self._next_id(),
            str(uuid4()),
            app,
            *peer,
            self._clock(),
            query,
            is_gzip=is_gzip,
            is_recovery=is_recovery,
        )
        self.records.append(record)
        self._holders[record.uuid] = record
        return record

    def add_zombie(self, app: str, client_ip: str, seconds: float | None) -> StreamRecord:
        """Make a connection without a reader hold a slot."""
        record = self.new_record(app, (client_ip, 0), {})
        now = record.opened
        record.is_zombie, record.reason = True, "zombie"
        record.closed, record.closed_by = now, ClosedBy.FAULT
        record.freed_at = None if seconds is None else now.unix + seconds
        return record

    def active(self, app: str) -> list[StreamRecord]:
        """Return the connections that hold a slot of the app, the oldest first."""
        now = self._clock().unix
        self._holders = {uuid: one for uuid, one in self._holders.items() if one.is_active(now)}
        return [one for one in self._holders.values() if one.app == app]

    def of(self, app: str) -> list[StreamRecord]:
        """Return all connections of the app, the oldest first."""
        return [one for one in self.records if one.app == app]

    def cut(self, stream: PostStream) -> None:
        """End the stream of a client that reads too slowly."""
        last = Message(disconnect_line("SlowReader", self._spelling))
        self.end(stream, ClosedBy.SERVER, "SlowReader", last=last)

    def kill(self, app: str, uuid: str) -> bool:
        """End an active connection at its owner's request; return False when there is none."""
        record = next((one for one in self.active(app) if one.uuid == uuid), None)
        if record is None:
            return False
        record.freed_at = self._clock().unix
        stream = self._open.get(record.id)
        if stream is not None:
            last = Message(disconnect_line(KILLED, self._spelling))
            self.end(stream, ClosedBy.SERVER, KILLED, last=last)
        record.reason = KILLED
        return True

    def _forget(self, stream: PostStream, now: Instant) -> None:
        record = stream.record
        lingers_s = self._linger_s(record.app) if record.closed_by is ClosedBy.CLIENT else 0.0
        record.freed_at = now.unix + lingers_s
