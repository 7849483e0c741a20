"""Talk with the master on a separate thread: the main thread streams."""

from __future__ import annotations

import logging
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn, Protocol

from traptor.common.errors import ExitCode
from traptor.common.messages import (
    Drain,
    FromMaster,
    FromWorker,
    Ready,
    Report,
    frame,
    from_master,
    is_urgent,
)
from traptor.worker.hearing.frames import read_payload

log = logging.getLogger(__name__)

REPORT_INTERVAL_S = 1.0
# Where posts cost money: a cap ends their stream before a second's more have come, on a busy host too.
PAID_INTERVAL_S = 0.5
# Most workers have more to say by then; one that waits for its output, or only drains, tells so.
_FIRST_REPORT_S = 0.2
_DRAINING_TICK_S = 0.1
# After a TERM not sent by the master; the master's own Drain has a deadline.
_TERM_DRAIN_S = 10.0
# What the socket has no room for waits until the master reads, and the master reads when the bell rings.
_TOGETHER_BYTES = 1 << 15


class Serves(Protocol):
    """Serve a connection, as the link thread sees it."""

    def order(self, message: FromMaster) -> None:
        """Take an order."""

    def report(self) -> Report:
        """Return what the main thread does now and has done."""

    def drained_instead(self) -> bool:
        """Drain in place of a main thread that cannot, and return whether that was done."""


class Link:
    """Passes orders to the session and messages to the master, and reports once a second; v2 twice."""

    def __init__(self, sock: socket.socket, masters_bell: int) -> None:
        """Talk over the socket, and ring the master's bell (an eventfd) when it is to listen at once."""
        self._sock = sock
        self._masters_bell = masters_bell
        self._tick_s = REPORT_INTERVAL_S
        self._terminated = False
        self._outgoing: queue.SimpleQueue[FromWorker | None] = queue.SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._next_report = time.monotonic() + _FIRST_REPORT_S
        self._told_reads: Mapping[str, int] = {}
        self._thread: threading.Thread | None = None

    def start(self, session: Serves) -> None:
        """Start listening and reporting for `session`."""
        self._thread = threading.Thread(target=self._run, args=(session,), name="link", daemon=True)
        self._thread.start()

    def terminate(self) -> None:
        """Make the session drain. Safe in a signal handler."""
        self._terminated = True
        os.eventfd_write(self._bell, 1)

    def post(self, message: FromWorker) -> None:
        """Send `message` soon, followed by a Report. Never blocks: a stopped master stops no stream.

        Ready waits for what is posted next, mostly at once: whether the worker may connect, or why not yet.
        """
        self._outgoing.put(message)
        if not isinstance(message, Ready):
            os.eventfd_write(self._bell, 1)

    def finish(self, timeout_s: float) -> None:
        """Send what was posted and end the thread, within `timeout_s`."""
        self._outgoing.put(None)
        os.eventfd_write(self._bell, 1)
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, session: Serves) -> None:
        try:
            self._talk(session)
        except Exception:
            # A worker that cannot hear its master must not keep streaming; its successor starts at once.
            log.exception("the connection to the master broke")
            os._exit(ExitCode.FAILURE)

    def _talk(self, session: Serves) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while True:
                self._take_orders(selector, session)
                has_last_words = session.drained_instead()
                messages, is_over = self._posted()
                self._send(*messages)
                if is_over:
                    return
                if has_last_words:
                    os._exit(ExitCode.OK)
                if messages or time.monotonic() >= self._next_report:
                    self._report(session.report())

    def _report(self, report: Report) -> None:
        self._send(report)
        interval_s = PAID_INTERVAL_S if report.counters.reads else REPORT_INTERVAL_S
        self._next_report = time.monotonic() + interval_s

    def _take_orders(self, selector: selectors.BaseSelector, session: Serves) -> None:
        wait_s = min(self._tick_s, self._next_report - time.monotonic())
        for key, _ in selector.select(max(0.0, wait_s)):
            if key.fileobj is self._sock:
                self._pass_on(from_master(self._read_payload()), session)
            else:
                os.eventfd_read(self._bell)
        if self._terminated:
            self._terminated = False
            self._pass_on(Drain(_TERM_DRAIN_S), session)

    def _pass_on(self, message: FromMaster, session: Serves) -> None:
        if isinstance(message, Drain):
            self._tick_s = _DRAINING_TICK_S
        session.order(message)

    def _posted(self) -> tuple[list[FromWorker], bool]:
        """Return what was posted since the last call, and whether that was all."""
        messages: list[FromWorker] = []
        with suppress(queue.Empty):
            while (message := self._outgoing.get_nowait()) is not None:
                messages.append(message)
            return messages, True
        return messages, False

    def _send(self, *messages: FromWorker) -> None:
        """Send messages, small ones together: a master that is woken for one of them hears all."""
        frames, rings = b"", False
        for message in messages:
            more = frame(message)
            if frames and len(frames) + len(more) > _TOGETHER_BYTES:
                self._write(frames, rings)
                frames, rings = b"", False
            frames += more
            rings = is_urgent(message, self._told_reads) or rings
            if isinstance(message, Report):
                self._told_reads = message.counters.reads
        if frames:
            self._write(frames, rings)

    def _write(self, frames: bytes, rings: bool) -> None:
        try:
            self._sock.sendall(frames)
        except OSError:
            self._master_is_gone()
        if rings:
            os.eventfd_write(self._masters_bell, 1)

    def _read_payload(self) -> bytes:
        try:
            return read_payload(self._sock)
        except EOFError:
            self._master_is_gone()

    def _master_is_gone(self) -> NoReturn:
        # The parent-death signal is on its way; nothing may be sent or read without a master.
        os._exit(ExitCode.FAILURE)
