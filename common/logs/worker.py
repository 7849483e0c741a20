"""A worker's log: its own file, and the part of it that the master's log receives too.

Records reach supervisor.log through a multiprocessing-logging handler with a separate pipe per generation: a
worker that is killed in the middle of a record breaks its own pipe, and no other.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from typing import IO
from urllib.parse import urlsplit

from multiprocessing_logging import MultiProcessingHandler

from traptor.common.birth import Birth
from traptor.common.logs.files import LineHandler, LogFile, LogStream
from traptor.common.logs.format import formatter, message, plain_fields, trace
from traptor.common.logs.mask import SecretMask
from traptor.common.logs.master import STDERR, STDOUT, set_level
from traptor.common.logs.pipe import RecordPipe
from traptor.common.logs.receiver import RecordReceiver
from traptor.common.logs.throttle import Losses, loss_record

# Maximum records waiting for a master that does not read; more are missing from supervisor.log only.
_MOST_WAITING = 1000
_FLUSH_S = 0.5
_FLUSH_LOOK_S = 0.005
_CARRIED = ("name", "levelno", "levelname", "created", "msecs", "process", "worker", "gen")


class WorkerLogBridge:
    """Carries a generation's warnings and lifecycle events into the master's log.

    Created in the master before the fork. It ends by itself when the worker is gone, however it ended.
    Raises OSError when this host has no room for it.
    """

    def __init__(self, receiver: RecordReceiver) -> None:
        self._receiver = receiver
        reader, self.writer = os.pipe()
        try:
            self._incoming = receiver.receive(reader)
        except OSError:
            os.close(reader)
            os.close(self.writer)
            raise

    def after_fork_in_master(self) -> None:
        """Close the master's copy of the writing end, so that the worker's death is the end of the pipe.

        Must also be called when the fork failed.
        """
        os.close(self.writer)

    @property
    def finished(self) -> bool:
        """True when all records from the worker are written."""
        return not self._receiver.is_open(self._incoming)


class WorkerLogs:
    """The log of one worker."""

    def __init__(self, own: LineHandler, bridge: _BridgeHandler, mask: SecretMask) -> None:
        self._own = own
        self._bridge = bridge
        self._mask = mask
        # Stacks must not appear between the lines of an output on stdout.
        self.evidence: IO[str] = own.stream if isinstance(own, LogFile) else _stderr()

    @property
    def lost(self) -> int:
        """The number of records that could not be written."""
        return self._own.lost + self._bridge.losses.total

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these secrets too, from now on."""
        self._mask.know(secrets)

    def reopen(self) -> None:
        """Reopen the log file, for example after its rotation."""
        self._own.reopen()

    def close(self) -> None:
        """Give the master a moment to receive the last records."""
        self._bridge.flush(_FLUSH_S)


def configure_worker_logging(birth: Birth, log_fd: int) -> WorkerLogs:
    """Send everything that this worker logs to `<log_dir>/<connection>.log`, or to stdout.

    Warnings and lifecycle events also go to supervisor.log, unless all logs go to stdout; `log_fd` is the
    writing end of their bridge.
    """
    settings = birth.settings
    mask = SecretMask(_passwords(settings.redis_url))
    mask.know(settings.kafka.secrets if settings.kafka is not None else ())
    lines = formatter(settings.log_format, mask)
    to_master = _BridgeHandler(RecordPipe(log_fd), mask)
    handlers: list[logging.Handler]
    own: LineHandler
    if settings.log_dir is None:
        own = LogStream(STDOUT, lines)
        handlers = [own]
    else:
        own = LogFile(settings.log_dir / f"{birth.connection}.log", lines, tell=to_master.handle)
        handlers = [own, to_master]
    for handler in (own, to_master):
        handler.addFilter(_Identity(birth))
    logging.getLogger().handlers[:] = handlers  # no other logger has one
    set_level(settings.log_level)
    return WorkerLogs(own, to_master, mask)


class _Identity(logging.Filter):
    """Adds the worker's identity to each record."""

    def __init__(self, birth: Birth) -> None:
        super().__init__()
        self._birth = birth

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._birth.connection
        record.gen = self._birth.generation
        return True


def receiver_of_records() -> RecordReceiver:
    """Return what receives the records of workers for the master's log."""
    return RecordReceiver(into_master_log)


def into_master_log(record: object) -> None:
    """Pass a received record to the master's handlers, each under its lock."""
    if not isinstance(record, logging.LogRecord):
        return
    for handler in logging.getLogger().handlers:
        if record.levelno >= handler.level:
            try:
                handler.handle(record)
            except Exception:  # noqa: BLE001, S110  # the thread must not end; our own handlers never raise
                pass


class _BridgeHandler(MultiProcessingHandler):  # type: ignore[misc]  # it publishes no types
    """The library's handler in the worker, with a pipe for a queue; its receiver is in the master."""

    def __init__(self, queue: RecordPipe, mask: SecretMask) -> None:
        # The library's own would make a queue with semaphores, and a thread that polls.
        logging.Handler.__init__(self)
        self.queue = queue
        self.losses = Losses(time.monotonic)
        self._mask = mask
        self.addFilter(_is_for_master)

    def flush(self, timeout_s: float = 0.0) -> None:
        """Wait until all records are where the master finds them, at most `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.queue.qsize() and time.monotonic() < deadline:
            time.sleep(_FLUSH_LOOK_S)

    def close(self) -> None:
        """Close without waiting for anybody."""
        logging.Handler.close(self)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Count a record that could not be sent."""
        self.losses.add()

    def _send(self, record: logging.LogRecord) -> None:
        if self.queue.qsize() >= _MOST_WAITING:
            self.losses.add()
            return
        super()._send(record)
        if count := self.losses.due():
            self.losses.told(count)
            told = loss_record(count, "supervisor.log")
            told.worker, told.gen = getattr(record, "worker", None), getattr(record, "gen", None)
            super()._send(told)

    def _format_record(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return a copy of text and numbers: other handlers use the record, and not all of it can be sent."""
        plain = logging.makeLogRecord({name: getattr(record, name, None) for name in _CARRIED})
        plain.msg = self._mask.hide(message(record))
        plain.exc_text = self._mask.hide(trace(record)) or None
        plain.fields = plain_fields(record, self._mask)
        return plain


def _is_for_master(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or getattr(record, "lifecycle", False)


def _passwords(redis_url: str) -> list[str]:
    password = urlsplit(redis_url).password
    return [password] if password else []


def _stderr() -> IO[str]:
    return os.fdopen(STDERR, "a", encoding="utf-8", closefd=False)
