"""The body of one response: its messages as they arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator

import requests
import urllib3

from traptor.worker.stream.arrivals import Arrivals, Wire
from traptor.worker.stream.coding import Coding
from traptor.worker.stream.framing import Framing
from traptor.worker.stream.lines import Lines

# Large reads cost half of tweepy's default 512 bytes; a read does not wait for more than there is.
READ_BYTES = 131_072
_TOO_SLOW = "the answer did not end within its time"


class Body:
    """Yields each message as soon as its bytes have arrived, however they are framed.

    It reads the socket itself: a buffered reader, and urllib3's reads of a chunk, wait for bytes that come
    later. `buffered` is the part of the body that arrived with the headers.
    """

    def __init__(self, wire: Wire, buffered: bytes, framing: Framing, coding: Coding) -> None:
        self._wire = wire
        self._buffered = buffered
        self._framing = framing
        self._coding = coding
        self._lines = Lines()
        self._arrivals = Arrivals(wire, time.monotonic())
        self._has_ended_message = False  # since the last read
        self._ended: tuple[float, float] | None = None

    @property
    def handled_until(self) -> float:
        """The last time when everything received was handled (any thread)."""
        return self._arrivals.handled_until

    def last_came_at(self) -> tuple[float, float]:
        """Return when the last bytes came, and the last sign of the server, whenever they were read."""
        return self._ended or self._arrivals.last_came_at()

    def note_end(self) -> None:
        """Record when its last bytes came: the connection is about to be closed."""
        self._ended = self._ended or self._arrivals.last_came_at()

    def shut(self) -> None:
        """Count nothing that arrives from now on as handled (any thread)."""
        self._arrivals.shut()

    def messages(self, stall_s: float) -> Iterator[list[bytes]]:
        """Yield the messages that came together; the request for the next ones marks these as handled.

        Raises ReadTimeout (requests') when none ended for `stall_s`, ConnectionError (requests') and
        ProtocolError (urllib3's) when the connection broke or was not HTTP.
        """
        self._wire.settimeout(stall_s)
        message_at = time.monotonic()
        for piece in self._pieces():
            if messages := self._lines.take(piece):
                yield messages
                self._has_ended_message = True
                message_at = time.monotonic()
            elif time.monotonic() - message_at > stall_s:  # bytes trickle without completing a message
                raise requests.ReadTimeout(f"no whole message for {stall_s:g} s")
        if messages := self._lines.finish():
            yield messages

    def start(self, most_bytes: int, within_s: float) -> bytes:
        """Return the part of the first bytes that arrives within a time. Raises like `messages`."""
        start = bytearray()
        try:
            for piece in self._pieces(time.monotonic() + within_s):
                start += piece
                if len(start) >= most_bytes:
                    break
        except requests.ReadTimeout:
            pass
        return bytes(start[:most_bytes])

    def whole(self, most_bytes: int, within_s: float) -> bytes:
        """Return all of it.

        Raises like `messages`, ReadTimeout (requests') where that takes longer, and ProtocolError (urllib3's)
        where it is larger.
        """
        whole = bytearray()
        for piece in self._pieces(time.monotonic() + within_s):
            whole += piece
            if len(whole) > most_bytes:
                raise urllib3.exceptions.ProtocolError(f"the answer is larger than {most_bytes} bytes")
        return bytes(whole)

    def _pieces(self, deadline: float | None = None) -> Iterator[bytes]:
        data = self._buffered
        while True:
            yield self._coding.take(self._framing.take(data))  # bytes of framing only
            while self._coding.has_more:
                yield self._coding.more()
            if self._framing.is_ended:
                return
            data = self._read(deadline)
            if not data:
                break
        if not self._framing.may_end:
            raise urllib3.exceptions.ProtocolError("the connection ended within the answer")

    def _read(self, deadline: float | None) -> bytes:
        if deadline is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise requests.ReadTimeout(_TOO_SLOW)
            self._wire.settimeout(left_s)
        is_handled = self._lines.is_between and self._coding.is_flushed
        self._arrivals.note(is_handled=is_handled, has_ended_message=self._has_ended_message)
        self._has_ended_message = False
        try:
            data = self._wire.recv(READ_BYTES)
        except TimeoutError as error:
            if deadline is not None:
                raise requests.ReadTimeout(_TOO_SLOW) from None
            raise requests.ReadTimeout(error) from error
        except OSError as error:
            raise requests.ConnectionError(error) from error
        assert isinstance(data, bytes)
        return data
