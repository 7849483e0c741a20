"""Compare what arrived over one connection with what was handled."""

from __future__ import annotations

import array
import fcntl
import math
import socket
import ssl
import struct
import termios
import time
from collections import deque

from urllib3.util.ssltransport import SSLTransport

# In struct tcp_info (linux/tcp.h): tcpi_last_data_recv and tcpi_last_ack_recv (milliseconds), and, since
# Linux 4.1, tcpi_bytes_received.
_INFO = struct.Struct("=52xII68xQ")

# As exactly is known until when a reader that is behind has handled everything.
_LOOK_S = 0.01

_INEXACT_S = 0.05  # more than the kernel's times of one segment differ

# The sockets of urllib3: TLS within the TLS of a proxy is its SSLTransport.
Wire = socket.socket | SSLTransport


class Arrivals:
    """Compare what the kernel received with what was handled.

    Between the two lie the kernel's buffer, TLS, the framing, the decompressor and the unfinished line. The
    kernel's count of received bytes covers all of them, from any thread, even while a read of the socket
    waits or has just returned.
    """

    def __init__(self, wire: Wire, opened_at: float) -> None:
        self._wire = wire
        self._socket = _innermost(wire)
        self._handled_bytes = -1  # of all received; -1: something received is not handled
        self._handled_until = opened_at
        self._taken_bytes = 0  # of all received: read before the last read, and not held by TLS then
        self._looks: deque[tuple[int, float]] = deque()  # received bytes, and when they were no more
        self._shut_at = math.inf
        self._last_came = (0, opened_at)  # received bytes, and when the last of them came

    @property
    def handled_until(self) -> float:
        """The last time when everything received was handled (any thread)."""
        now = time.monotonic()  # before the look
        is_handled = self._received_bytes() == self._handled_bytes
        return min(now if is_handled else self._handled_until, self._shut_at)

    def note(self, *, is_handled: bool, has_ended_message: bool) -> None:
        """Record, before a read, whether everything read before is handled.

        Where it is not, a message that ended with the last read tells that what came before that is.
        """
        self._handled_bytes = -1
        now = time.monotonic()
        received_bytes = self._received_bytes()  # first: what arrives meanwhile counts as unread
        taken_bytes = received_bytes - _unread_bytes(self._socket)
        is_held = _held_bytes(self._wire) > 0
        if is_handled and not is_held:
            self._handled_bytes = taken_bytes
            self._handled(taken_bytes)
        elif has_ended_message:
            self._handled(self._taken_bytes)
        if not is_held:
            self._taken_bytes = taken_bytes
        if self._handled_bytes == received_bytes:
            self._handled_until = now
        elif received_bytes > 0 and (not self._looks or now - self._looks[-1][1] >= _LOOK_S):
            self._looks.append((received_bytes, now))

    def shut(self) -> None:
        """Count nothing that arrives from now on (any thread)."""
        self._handled_until = max(self._handled_until, self.handled_until)
        self._shut_at = min(self._shut_at, time.monotonic())

    def last_came_at(self) -> tuple[float, float]:
        """Return when the last bytes came, and the last segment, which may be the end of the connection.

        The kernel's times, exact to some milliseconds: the reader may be late. The present time if they are
        unavailable. While no further bytes come, the first answer about the last ones is kept: others differ
        from it by these milliseconds, which would be news for whoever shows it. Only one that is later by
        more is nearer to the truth: the process stood still between its own clock and the kernel's before.
        """
        now = time.monotonic()
        data_ms, segment_ms, count = self._info()
        last_came, came_at = self._last_came, now - data_ms / 1000
        if not count or count != last_came[0] or came_at > last_came[1] + _INEXACT_S:
            last_came = self._last_came = count, came_at
        return last_came[1], now - segment_ms / 1000

    def _handled(self, handled_bytes: int) -> None:
        """Go on to the last look at which no more than these bytes had been received."""
        while self._looks and self._looks[0][0] <= handled_bytes:
            _, at = self._looks.popleft()
            self._handled_until = max(self._handled_until, at)

    def _received_bytes(self) -> int:
        *_, count = self._info()
        return count or -2  # it is closed; or not counted, as at least the response's headers arrived

    def _info(self) -> tuple[int, int, int]:
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
            data_ms, segment_ms, count = _INFO.unpack(info)
        except (OSError, struct.error):
            return 0, 0, 0  # closed in the meantime
        return data_ms, segment_ms, count


def _innermost(wire: Wire) -> socket.socket:
    return wire if isinstance(wire, socket.socket) else _innermost(wire.socket)


def _held_bytes(wire: Wire) -> int:
    """Return the bytes that TLS holds of partly read records."""
    if isinstance(wire, ssl.SSLSocket):
        return wire.pending()
    if isinstance(wire, SSLTransport):
        return wire.sslobj.pending() + wire.incoming.pending + _held_bytes(wire.socket)
    return 0


def _unread_bytes(sock: socket.socket) -> int:
    unread = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, unread)
    return unread[0]
