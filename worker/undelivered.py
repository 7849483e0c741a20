"""Takes over the files in which version 0.1 kept what Kafka had not confirmed at the end of a generation."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from traptor.common.birth import OutboxSettings
from traptor.common.errors import SinkError
from traptor.common.outboxes import outbox_folder
from traptor.worker.linefile import LineFile
from traptor.worker.outbox import Outbox, OutboxError, OutboxInUse
from traptor.worker.outgoing import Outgoing

# What version 0.1 wrote as `reason`; with another one Kafka had refused the message for good.
_UNCONFIRMED = "not confirmed in time; it may have arrived"
_BATCH_MESSAGES = 256


class UndeliveredError(Exception):
    """The file cannot be taken over now; says why."""


class _Line(msgspec.Struct):
    reason: str
    key: str | None
    value: msgspec.Raw
    time_ms: int = 0
    headers: dict[str, str | None] = {}


_decode = msgspec.json.Decoder(_Line).decode


def import_undelivered(file: Path, generation: int, connection: str, settings: OutboxSettings) -> int:
    """Make the file an outbox of its generation, and remove it; how many messages it had.

    What was refused for good goes to the dead letters. Raises UndeliveredError: then nothing has changed, or
    some messages will come twice.
    """
    try:
        with file.open("rb") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unconfirmed = list(
                _sorted_out(lines, settings.state_dir / "dead-letters" / f"{connection}.jsonl")
            )
            _keep(unconfirmed, outbox_folder(settings.state_dir, connection) / str(generation), settings)
            file.unlink()
            return len(unconfirmed)
    except (OSError, SinkError, OutboxError, OutboxInUse, msgspec.MsgspecError) as error:
        raise UndeliveredError(f"{file}: it cannot be taken over: {error}") from error


def _sorted_out(lines: IO[bytes], dead_letters: Path) -> Iterator[Outgoing]:
    dead = LineFile(dead_letters)
    for text in lines:
        line = _decode(text)
        if line.reason == _UNCONFIRMED:
            yield _message(line)
            continue
        dead.open()
        dead.write(text)
    dead.close()


def _message(line: _Line) -> Outgoing:
    rules = line.headers.get("traptor-rules")
    return Outgoing(
        body=bytes(line.value),
        tweet_id=line.key,
        rule_ids=tuple(rules.split(",")) if rules else (),
        created_at_ms=line.time_ms or None,
    )


def _keep(messages: list[Outgoing], folder: Path, settings: OutboxSettings) -> None:
    open_outbox = Outbox.adopt if folder.exists() else Outbox.create  # it is there when this was interrupted
    outbox = open_outbox(folder, synced=settings.synced, max_bytes=settings.max_bytes)
    try:
        for start in range(0, len(messages), _BATCH_MESSAGES):
            outbox.put(messages[start : start + _BATCH_MESSAGES])
    finally:
        outbox.close()
