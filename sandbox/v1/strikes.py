"""Apply faults to open streams, and pass on those that wait for connects."""

from __future__ import annotations

import math

from traptor.sandbox.clock import Clock
from traptor.sandbox.faults.fault import Fault, FaultKind, Faults, Target
from traptor.sandbox.v1.connections import Connections, disconnect_message
from traptor.sandbox.v1.stream import Stream
from traptor.sandbox.wire.queue import ClosedBy, Ending, Message
from traptor.sandbox.wire.sockets import Sockets

_BROKEN = b'{"created_at":"Wed Sep 23 10:00:00 +0000 2026","id":9000000000\r\n'
_BINARY = b"\x00\xff\xfe\x80\x1b{\xc3\x28\xf0\x9f\r\n"
_HALF = b'{"created_at":"Wed Sep 23 10:00:00 +0000 2026","id":900000000000000001,"id_str":"9000'


class Strikes:
    """Applies faults to streams."""

    def __init__(self, connections: Connections, faults: Faults, clock: Clock) -> None:
        self._connections = connections
        self._faults = faults
        self._clock = clock
        self.sockets = Sockets()

    def ask(self, fault: Fault) -> list[int]:
        """Let the fault strike streams now, or wait for connects; return the connections struck."""
        if fault.on is Target.CONNECTS:
            self._faults.add(fault, self._clock().mono)
            return []
        streams = self._connections.open(fault.account)
        for stream in streams:
            self.strike(fault, stream)
        return [stream.record.id for stream in streams]

    def strike(self, fault: Fault, stream: Stream) -> None:
        """Apply the fault to the stream now."""
        match fault.kind:
            case FaultKind.STALL:
                stream.stall(self._clock().mono + (math.inf if fault.seconds is None else fault.seconds))
            case FaultKind.GARBAGE:
                self._connections.send(Message(_BROKEN), [stream])
                self._connections.send(Message(_BINARY), [stream])
            case FaultKind.DISCONNECT:
                last = disconnect_message(fault.code, "on demand", stream.account.name)
                self._connections.end(stream, ClosedBy.FAULT, fault.kind, last=last)
            case FaultKind.RESET:
                self._connections.end(stream, ClosedBy.FAULT, fault.kind, Ending.RESET, tail=_HALF)
            case FaultKind.HALF_OPEN:
                self._connections.end(stream, ClosedBy.FAULT, fault.kind, Ending.HALF_OPEN)
            case _:
                self._connections.end(stream, ClosedBy.FAULT, fault.kind)

    def clear(self, account: str | None) -> None:
        """End the stalls, and close the held sockets, of one account or of all."""
        for stream in self._connections.open(account):
            stream.resume()
        self.sockets.clear(account)
