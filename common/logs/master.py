"""Logging of the master."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from traptor.common.errors import ConfigError, Problem
from traptor.common.files.folders import make_private
from traptor.common.logs.files import LineHandler, LogFile, LogStream
from traptor.common.logs.format import formatter
from traptor.common.logs.mask import SecretMask
from traptor.common.logs.sentry import flush_sentry, sentry_handler

STDOUT, STDERR = 1, 2


class MasterLogs:
    """The master's own log: supervisor.log, or stdout."""

    def __init__(self, handler: LineHandler, mask: SecretMask) -> None:
        self._handler = handler
        self._mask = mask
        self._reports = False

    @property
    def lost(self) -> int:
        """The number of records that could not be written."""
        return self._handler.lost

    @property
    def fails(self) -> bool:
        """True while records cannot be written."""
        return self._handler.fails

    def know(self, secrets: Iterable[str]) -> None:
        """Hide these secrets too, from now on."""
        self._mask.know(secrets)

    def change(self, level: str, log_format: str) -> None:
        """Use another level and format from now on."""
        self._handler.setFormatter(formatter(log_format, self._mask))
        set_level(level)

    def report_to(self, sentry_dsn: str) -> None:
        """Send errors to Sentry too, from now on; the extra `sentry` must be installed."""
        self._reports = True
        logging.getLogger().addHandler(sentry_handler(sentry_dsn, self._mask))

    def reopen(self) -> None:
        """Reopen the log file, for example after its rotation."""
        self._handler.reopen()

    def close(self) -> None:
        """Stop logging."""
        if self._reports:
            flush_sentry()
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()


def configure_master_logging(
    level: str, log_format: str, log_dir: Path | None, secrets: Iterable[str] = ()
) -> MasterLogs:
    """Send all log records to `<log_dir>/supervisor.log`, or to stdout when `log_dir` is None.

    Raises ConfigError when `log_dir` cannot be created or written to.
    """
    mask = SecretMask(secrets)
    lines = formatter(log_format, mask)
    handler: LineHandler
    if log_dir is None:
        handler = LogStream(STDOUT, lines)
    else:
        _prepare(log_dir)
        handler = LogFile(log_dir / "supervisor.log", lines, tell=LogStream(STDERR, lines).handle)
    replace_handlers([handler])
    set_level(level)
    return MasterLogs(handler, mask)


def replace_handlers(handlers: Collection[logging.Handler]) -> None:
    """Make every logger use `handlers` alone.

    The old handlers are dropped without closing them. A worker replaces only those of the root logger: it
    would copy each logger that it looks at.
    """
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    logging.getLogger().handlers[:] = handlers


def set_level(level: str) -> None:
    """Log from `level` up; libraries at INFO or above: their DEBUG shows requests and signatures."""
    number = logging.getLevelNamesMapping()[level]
    for name, wanted in (("traptor", number), (None, max(number, logging.INFO))):
        logger = logging.getLogger(name)
        if logger.level != wanted:  # a worker has its master's: setting it takes a look at every logger
            logger.setLevel(wanted)


def _prepare(log_dir: Path) -> None:
    try:
        make_private(log_dir)
    except OSError as error:
        problem = f"{log_dir} cannot be made: {error.strerror}; make it, or name another folder"
        raise ConfigError([Problem("[supervisor] log_dir", problem)]) from None
    if not os.access(log_dir, os.W_OK | os.X_OK):
        problem = f"{log_dir} may not be written to; change its owner or mode, or name another folder"
        raise ConfigError([Problem("[supervisor] log_dir", problem)])
