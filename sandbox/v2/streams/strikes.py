"""Apply faults to v2 streams, and pass on those that wait."""

from __future__ import annotations

import math
from collections.abc import Sequence

from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.waiting import Waiting
from traptor.sandbox.v2.faults.fault import V2Fault
from traptor.sandbox.v2.faults.kinds import Target, Then, V2FaultKind
from traptor.sandbox.v2.faults.lines import (
    BINARY,
    BROKEN,
    HALF,
    disconnect_line,
    issue_line,
    rubbish_lines,
)
from traptor.sandbox.v2.problems import Spelling
from traptor.sandbox.v2.streams.slots import Slots
from traptor.sandbox.v2.streams.stream import PostStream
from traptor.sandbox.wire.queue import ClosedBy, Ending, Message
from traptor.sandbox.wire.sockets import Sockets


class V2Strikes:
    """Applies faults to streams and slots."""

    def __init__(
        self, slots: Slots, faults: Waiting[V2Fault], sockets: Sockets, spelling: Spelling, clock: Clock
    ) -> None:
        self._slots = slots
        self._faults = faults
        self._sockets = sockets
        self._spelling = spelling
        self._clock = clock

    def ask(self, fault: V2Fault) -> list[int]:
        """Let the fault strike now, or wait; return the connections struck or made."""
        if fault.kind is V2FaultKind.ZOMBIE:
            if fault.account is None:
                raise BadInput("app: the name of an app is expected")
            return [self._slots.add_zombie(fault.account, fault.client_ip, fault.seconds).id]
        if fault.on is Target.CONNECTS:
            self._faults.add(fault, self._clock().mono)
            return []
        streams = self._targets(fault)
        for stream in streams:
            self.strike(fault, stream)
        return [stream.record.id for stream in streams]

    def _targets(self, fault: V2Fault) -> list[PostStream]:
        streams = self._slots.open(fault.account)
        if fault.connection is not None:
            return [one for one in streams if one.record.id == fault.connection]
        if fault.kind is V2FaultKind.LAG:
            return list({one.owner: one for one in streams if not one.record.is_recovery}.values())
        return streams

    def strike(self, fault: V2Fault, stream: PostStream) -> None:
        """Apply the fault to the stream now."""
        match fault.kind:
            case V2FaultKind.STALL:
                stream.stall(self._clock().mono + (math.inf if fault.seconds is None else fault.seconds))
            case V2FaultKind.LAG:
                stream.lag_s = fault.lag_s
            case V2FaultKind.GARBAGE:
                self.write([stream], [BROKEN, BINARY])
            case V2FaultKind.RUBBISH:
                self.write([stream], rubbish_lines(self._spelling))
            case V2FaultKind.DISCONNECT:
                line = disconnect_line(fault.disconnect_type, self._spelling)
                self._end_after(stream, line, fault.disconnect_type, fault.then)
            case V2FaultKind.PROBLEM_LINE:
                line = issue_line(fault.connection_issue, self._spelling)
                self._end_after(stream, line, fault.connection_issue, fault.then)
            case V2FaultKind.RESET:
                self._slots.end(stream, ClosedBy.FAULT, fault.kind, Ending.RESET, tail=HALF)
            case V2FaultKind.HALF_OPEN:
                self._slots.end(stream, ClosedBy.FAULT, fault.kind, Ending.HALF_OPEN)
            case _:
                self._slots.end(stream, ClosedBy.FAULT, fault.kind)

    def write(self, streams: Sequence[PostStream], lines: Sequence[bytes]) -> None:
        """Queue lines that are not posts."""
        now = self._clock().mono
        for stream in streams:
            if not all(stream.offer(Message(line), now) for line in lines):
                self._slots.cut(stream)

    def clear(self, app: str | None) -> None:
        """Forget waiting faults, end stalls, and close the held sockets, of one app or of all."""
        self._faults.clear(app)
        for stream in self._slots.open(app):
            stream.resume()
            stream.lag_s = 0.0
        self._sockets.clear(app)

    def _end_after(self, stream: PostStream, line: bytes, reason: str, then: Then) -> None:
        ending = Ending.HALF_OPEN if then is Then.SILENCE else Ending.CLEAN
        self._slots.end(stream, ClosedBy.FAULT, reason, ending, last=Message(line))
