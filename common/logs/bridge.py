"""Carry the records of workers into the master's log: a pipe for each worker, one thread for all of them.

A worker writes each record as one frame and never waits. One that is killed leaves at most half a frame, in a
pipe that nobody else uses (docs/decisions/0017-the-logs-of-workers.md).
"""

from __future__ import annotations

import errno
import logging
import os
import pickle
import select
import struct
import threading
import time
from collections.abc import Callable

from traptor.common.logs.format import message, plain_fields, trace
from traptor.common.logs.mask import SecretMask
from traptor.common.logs.throttle import Losses, loss_record

_HEADER = struct.Struct(">I")  # the size of a record
_MOST_BYTES = 1 << 24  # of one record
_READ_BYTES = 1 << 16
_CARRIED = ("name", "levelno", "levelname", "created", "msecs", "process", "worker", "gen")


class WorkerLogBridge:
    """Carries a generation's warnings and lifecycle events into the master's log.

    Created in the master before the fork, by a LogReceiver, which closes it when the worker is gone.
    """

    def __init__(self) -> None:
        """Open the pipe. Raises OSError when there is no room for it."""
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._received = bytearray()
        self._is_finished = False

    def after_fork_in_master(self) -> None:
        """Close the master's copy of the writing end, so that the worker's death ends the pipe.

        Must also be called when the fork failed.
        """
        os.close(self._writer)

    @property
    def keep_fds(self) -> frozenset[int]:
        """The descriptors that the worker must keep open."""
        return frozenset({self._writer})

    def handler_for_worker(self) -> BridgeHandler:
        """Return the handler for the worker's records; call it in the worker, once."""
        return BridgeHandler(self._writer)

    @property
    def finished(self) -> bool:
        """True when all records from the worker are written."""
        return self._is_finished

    # ---- for the receiver

    def fileno(self) -> int:
        """Return the descriptor to read from."""
        return self._reader

    def receive(self) -> bool:
        """Write what has come into the master's log; return False when no more will come."""
        try:
            data = os.read(self._reader, _READ_BYTES)
        except BlockingIOError:
            return True
        self._received += data
        return bool(data) and self._take_frames()

    def close(self) -> None:
        """Close the reading end."""
        os.close(self._reader)
        self._is_finished = True

    def _take_frames(self) -> bool:
        """Take every whole frame; return False when it cannot be one."""
        at = 0
        while len(self._received) >= at + _HEADER.size:
            [size] = _HEADER.unpack_from(self._received, at)
            if size > _MOST_BYTES:
                return False
            start, end = at + _HEADER.size, at + _HEADER.size + size
            if len(self._received) < end:
                break
            _into_master_log(bytes(self._received[start:end]))
            at = end
        del self._received[:at]
        return True


class LogReceiver:
    """Receives the records of all workers, in one thread that lives while there is any worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bridges: dict[int, WorkerLogBridge] = {}
        self._epoll: select.epoll | None = None  # None: there is no thread

    def bridge(self) -> WorkerLogBridge:
        """Return a bridge for the next worker. Raises OSError without room for a descriptor or a thread."""
        bridge = WorkerLogBridge()
        try:
            with self._lock:
                self._watch(bridge)
        except OSError:
            bridge.after_fork_in_master()
            bridge.close()
            raise
        return bridge

    def _watch(self, bridge: WorkerLogBridge) -> None:
        epoll = self._epoll if self._epoll is not None else select.epoll()
        try:
            epoll.register(bridge.fileno(), select.EPOLLIN)
            self._bridges[bridge.fileno()] = bridge
            if self._epoll is None:
                _start_thread(self._run, epoll)
                self._epoll = epoll
        except OSError:
            self._bridges.pop(bridge.fileno(), None)
            if self._epoll is None:
                epoll.close()
            raise

    def _run(self, epoll: select.epoll) -> None:
        while True:
            for fd, _ in epoll.poll():
                if not self._bridges[fd].receive() and self._is_last(epoll, fd):
                    return

    def _is_last(self, epoll: select.epoll, fd: int) -> bool:
        """Forget the bridge of a worker that is gone; return True, all closed, if it was the last."""
        with self._lock:
            epoll.unregister(fd)
            self._bridges.pop(fd).close()
            if self._bridges:
                return False
            self._epoll = None
            epoll.close()
            return True


class BridgeHandler(logging.Handler):
    """Sends a worker's warnings and lifecycle events to its master; what finds no room is counted."""

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self.losses = Losses(time.monotonic)
        self._pipe = pipe
        self._mask = SecretMask()
        self._rest = b""  # of a record of which the pipe took a part
        self.addFilter(_is_for_master)

    def serve(self, mask: SecretMask) -> None:
        """Hide the secrets that `mask` knows."""
        self._mask = mask

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, unless there is no room."""
        try:
            self._send(record)
        except Exception:  # noqa: BLE001  # a record that cannot be sent is a lost one
            self.handleError(record)

    def flush(self, timeout_s: float = 0.0) -> None:
        """Send the rest of a record that was sent in part; wait for the master at most `timeout_s`."""
        with self.lock or threading.Lock():
            if self._rest:
                poll = select.poll()
                poll.register(self._pipe, select.POLLOUT)
                poll.poll(timeout_s * 1000)
                self._is_written(b"")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Count a record that could not be sent."""
        self.losses.add()

    def _send(self, record: logging.LogRecord) -> None:
        if not self._is_written(self._frame(record)):
            self.losses.add()
        elif count := self.losses.due():
            told = loss_record(count, "supervisor.log")
            told.worker, told.gen = getattr(record, "worker", None), getattr(record, "gen", None)
            if self._is_written(self._frame(told)):
                self.losses.told(count)

    def _is_written(self, frame: bytes) -> bool:
        """Write a frame, after the rest of the last one; return False when there is no room for any of it."""
        try:
            self._rest = self._rest[os.write(self._pipe, self._rest) :] if self._rest else b""
            if not self._rest:
                self._rest = frame[os.write(self._pipe, frame) :]
                return True
        except BlockingIOError:
            pass
        return False

    def _frame(self, record: logging.LogRecord) -> bytes:
        """Return the record's text and numbers: not all of a record can be sent."""
        plain = {name: getattr(record, name, None) for name in _CARRIED}
        plain["msg"] = self._mask.hide(message(record))
        plain["exc_text"] = self._mask.hide(trace(record)) or None
        plain["fields"] = plain_fields(record, self._mask)
        content = pickle.dumps(plain)
        return _HEADER.pack(len(content)) + content


def _is_for_master(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or getattr(record, "lifecycle", False)


def _start_thread(run: Callable[[select.epoll], None], epoll: select.epoll) -> None:
    """Start the receiving thread. Raises OSError without room for one."""
    try:
        threading.Thread(target=run, args=(epoll,), name="logs of workers", daemon=True).start()
    except RuntimeError as error:  # "can't start new thread"
        raise OSError(errno.EAGAIN, str(error)) from error


def _into_master_log(content: bytes) -> None:
    """Pass a received record to the master's handlers, each under its lock."""
    try:
        record = logging.makeLogRecord(pickle.loads(content))  # noqa: S301  # from a fork of this very process
        for handler in logging.getLogger().handlers:
            if record.levelno >= handler.level:
                handler.handle(record)
    except Exception:  # noqa: BLE001, S110  # one record is not worth the thread; our own handlers never raise
        pass
