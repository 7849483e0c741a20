"""The service manager's side channel (sd_notify): ready, reloading, stopping, status, and the watchdog.

systemd passes the address of a datagram socket in NOTIFY_SOCKET; without one, everything here does nothing.
The protocol is in systemd's manual, sd_notify(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

from traptor.common.logs.event import fields
from traptor.common.text import one_line

log = logging.getLogger(__name__)

_USEC = 1_000_000
_MARGIN_S = 10.0  # of a stop: the last files are written after the workers are gone
_LONGEST_STATUS = 500  # characters, as `systemctl status` shows one line


class ServiceManager:
    """Tells the service manager what this process does; a message that it does not take harms nothing."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog_s = _watchdog_s(environ, os.getpid()) if self._address else None
        self._fed_at: float | None = None
        self._is_ready = False
        self._status: str | None = None
        self._fails = False

    @property
    def is_there(self) -> bool:
        """True when a service manager listens."""
        return self._address is not None

    def ready(self) -> None:
        """Report, once, that the collection runs."""
        if not self._is_ready:
            self._is_ready = self._send("READY=1")

    def reloading(self) -> None:
        """Report that a reload begins; `reloaded` must follow."""
        # Without the time newer versions of systemd wait for the reload until they time out.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Report that the reload has ended, whatever came of it."""
        if self._is_ready:
            self._send("READY=1")

    def stopping(self, within_s: float) -> None:
        """Report that a stop has begun, and ask for as much time as it may take."""
        wanted_s = within_s + _MARGIN_S
        self._send("STOPPING=1", "STATUS=stopping", f"EXTEND_TIMEOUT_USEC={int(wanted_s * _USEC)}")

    def status(self, text: str) -> None:
        """Show a line in `systemctl status`; an unchanged one is not sent again."""
        line = one_line(text)[:_LONGEST_STATUS]
        if line != self._status and self._send(f"STATUS={line}"):
            self._status = line

    def feed_watchdog(self, now: float) -> float | None:
        """Report a sign of life when one is due, and return when the next one is (monotonic seconds).

        Call this from the loop that does the work. Returns None if no watchdog waits for it.
        """
        if self._watchdog_s is None:
            return None
        interval_s = self._watchdog_s / 2
        if self._fed_at is None or now >= self._fed_at + interval_s:
            self._send("WATCHDOG=1")
            self._fed_at = now
        return self._fed_at + interval_s

    def _send(self, *lines: str) -> bool:
        if self._address is None:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._fails:
                log.warning("the service manager cannot be told", extra=fields(error=str(error)))
            self._fails = True
            return False
        self._fails = False
        return True


def _address(name: str) -> str | None:
    """Return the socket's address; None for a missing one, or a kind that is not a unix socket."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Return after how long without a sign of life this process is killed; None for never."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / _USEC if text.isascii() and text.isdigit() and int(text) else None
