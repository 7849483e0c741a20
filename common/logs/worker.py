"""A worker's log: its own file, and the part of it that the master's log receives too."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import IO
from urllib.parse import urlsplit

from traptor.common.birth import Birth
from traptor.common.logs.bridge import BridgeHandler, WorkerLogBridge
from traptor.common.logs.files import LineHandler, LogFile, LogStream
from traptor.common.logs.format import formatter
from traptor.common.logs.mask import SecretMask
from traptor.common.logs.master import STDERR, STDOUT, replace_handlers, set_level

_FLUSH_S = 0.5


class WorkerLogs:
    """The log of one worker."""

    def __init__(self, own: LineHandler, bridge: BridgeHandler, mask: SecretMask) -> None:
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


def configure_worker_logging(birth: Birth, bridge: WorkerLogBridge) -> WorkerLogs:
    """Send everything that this worker logs to `<log_dir>/<connection>.log`, or to stdout.

    Warnings and lifecycle events also go to supervisor.log, unless all logs go to stdout.
    """
    settings = birth.settings
    mask = SecretMask(_passwords(settings.redis_url))
    mask.know(settings.kafka.secrets if settings.kafka is not None else ())
    lines = formatter(settings.log_format, mask)
    to_master = bridge.handler_for_worker()
    to_master.serve(mask)
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
    replace_handlers(handlers)
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


def _passwords(redis_url: str) -> list[str]:
    password = urlsplit(redis_url).password
    return [password] if password else []


def _stderr() -> IO[str]:
    return os.fdopen(STDERR, "a", encoding="utf-8", closefd=False)
