"""Keep the file of messages that Kafka permanently rejects: nothing that was read just vanishes."""

from __future__ import annotations

import logging
from pathlib import Path

import orjson

from traptor.common.errors import SinkError
from traptor.common.logs.event import fields
from traptor.common.logs.throttle import Tally
from traptor.worker.sinks.kafka.record import Record
from traptor.worker.sinks.linefile import LineFile

log = logging.getLogger(__name__)


class DeadLetters:
    """Write a JSON object per message: reason, topic, key, time_ms, headers, and the message as `value`.

    The file is created with the first one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: LineFile | None = None
        self._tally = Tally()

    def write(self, record: Record, reason: str) -> bool:
        """Set a message aside; return False (logged once a minute) when that is impossible now."""
        return self.append(line_of(record, reason))

    def append(self, line: bytes) -> bool:
        """Set a ready-made line aside, like `write`."""
        try:
            return self._append(line)
        except (OSError, SinkError) as error:
            if count := self._tally.add("not written"):
                log.error(
                    "dead letters cannot be stored, they wait in the outbox",
                    extra=fields(count=count, file=self.path, error=error),
                )
            return False

    def sync(self) -> None:
        """Flush the file to disk, so that its content survives a power cut."""
        if self._file is not None:
            self._file.sync()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _append(self, line: bytes) -> bool:
        if self._file is None:
            file = LineFile(self.path)
            file.open()
            self._file = file
        return self._file.write(line)


def line_of(record: Record, reason: str) -> bytes:
    """Return the line for one message."""
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
