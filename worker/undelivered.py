"""The file of messages that Kafka did not take: nothing that was read is dropped without a trace."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import orjson

from traptor.common.logs import fields
from traptor.worker.record import Record
from traptor.worker.tally import Tally

log = logging.getLogger(__name__)

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_MODE = 0o640


class Undelivered:
    """A JSON object for each message: reason, topic, key, time_ms, headers, and the message as `value`.

    The file is made with the first one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0  # could not be written here either
        self._fd = -1
        self._tally = Tally()

    def write(self, record: Record, reason: str) -> None:
        """Keep a message. Never raises: what cannot be kept is counted, and said once a minute."""
        try:
            if self._fd < 0:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._fd = os.open(self.path, _FLAGS, _MODE)
            _append(self._fd, _line(record, reason))
        except OSError as error:
            self.lost += 1
            if count := self._tally.add("lost"):
                log.critical(
                    "messages that Kafka did not take are lost: they cannot be kept",
                    extra=fields(count=count, file=self.path, error=error.strerror),
                )

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _line(record: Record, reason: str) -> bytes:
    about = {
        "reason": reason,
        "topic": record.topic,
        "key": None if record.key is None else record.key.decode(),
        "time_ms": record.time_ms,
        "headers": {name: _text(value) for name, value in record.headers},
    }
    return b'%b,"value":%b}\n' % (orjson.dumps(about)[:-1], record.value)


def _text(value: str | bytes | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


def _append(fd: int, line: bytes) -> None:
    size = os.fstat(fd).st_size
    if os.write(fd, line) < len(line):
        os.ftruncate(fd, size)  # a broken line would spoil the next one
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
