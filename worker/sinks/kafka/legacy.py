"""Import the files in which version 0.1 kept messages not confirmed at the end of a generation."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
import orjson

from traptor.common.birth import Birth, OutboxSettings
from traptor.common.files.outboxes import outbox_folder, undelivered_files
from traptor.common.logs.event import fields, lifecycle
from traptor.worker.outbox.message import Outgoing
from traptor.worker.outbox.outbox import Outbox, OutboxError, OutboxInUse
from traptor.worker.sinks.kafka.deadletters import DeadLetters

log = logging.getLogger(__name__)

# Version 0.1 wrote this as `reason`; with any other reason Kafka had rejected the message permanently.
_UNCONFIRMED = "not confirmed in time; it may have arrived"
_BATCH_MESSAGES = 256


class UndeliveredError(Exception):
    """The file cannot be imported now; the message says why."""


class _Head(msgspec.Struct):
    reason: str
    key: str | None
    time_ms: int = 0
    headers: dict[str, str | None] = {}


# Occurs once, before the message, which is not decoded: Twitter sends some JSON that msgspec rejects (lone
# surrogates).
_VALUE = b',"value":'
_decode = msgspec.json.Decoder(_Head).decode


def take_over_undelivered(birth: Birth) -> None:
    """Make outboxes of all files that version 0.1 left of the connection, and log it; call this once."""
    for generation, file in undelivered_files(birth.settings.outbox.state_dir, birth.connection):
        try:
            count = import_undelivered(file, generation, birth.connection, birth.settings.outbox)
        except OutboxInUse:
            continue
        except UndeliveredError as error:
            log.error("an outbox cannot be taken over", extra=fields(error=str(error)))
        else:
            log.info("undelivered messages are taken over", extra=lifecycle(file=file, messages=count))


def import_undelivered(file: Path, generation: int, connection: str, settings: OutboxSettings) -> int:
    """Make the file an outbox of its generation, remove it, and return its number of messages.

    Permanently rejected messages and unreadable lines go to the dead letters. Raises UndeliveredError: then
    nothing has changed, or some messages will be delivered twice. Raises OutboxInUse when another generation
    imports it now, or has done so.
    """
    dead_letters = DeadLetters(settings.state_dir / "dead-letters" / f"{connection}.jsonl")
    try:
        with file.open("rb") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(lines.fileno()).st_nlink:
                raise OutboxInUse(str(file))  # another generation imported it before we had the lock
            unconfirmed = list(_sorted_out(lines, dead_letters))
            if unconfirmed:
                folder = outbox_folder(settings.state_dir, connection) / str(generation)
                _keep(unconfirmed, folder, settings)
            file.unlink()
            return len(unconfirmed)
    except (FileNotFoundError, BlockingIOError):
        raise OutboxInUse(str(file)) from None
    except (OSError, OutboxError) as error:
        raise UndeliveredError(f"{file}: it cannot be taken over: {error}") from error
    finally:
        dead_letters.close()


def _sorted_out(lines: IO[bytes], dead_letters: DeadLetters) -> Iterator[Outgoing]:
    """Yield what is to be delivered. Raises UndeliveredError when the rest cannot be set aside."""
    for text in lines:
        head, _, rest = text.partition(_VALUE)
        try:
            about, value = _decode(head + b"}"), _value(rest)
        except ValueError as error:  # from msgspec, or for invalid UTF-8
            dead = _unreadable(text, error)
        else:
            if about.reason == _UNCONFIRMED:
                yield _message(about, value)
                continue
            dead = text.rstrip(b"\n") + b"\n"
        if not dead_letters.append(dead):
            raise UndeliveredError(
                f"{lines.name}: it cannot be taken over: {dead_letters.path} takes no line"
            )


def _unreadable(text: bytes, error: ValueError) -> bytes:
    about = {"reason": f"the line cannot be read: {error}", "line": text.decode(errors="replace")}
    return orjson.dumps(about) + b"\n"


def _value(rest: bytes) -> bytes:
    value = rest.rstrip(b"\n")
    if not value.endswith(b"}}"):
        raise ValueError("it has no end")
    return value[:-1]


def _message(about: _Head, value: bytes) -> Outgoing:
    rules = about.headers.get("traptor-rules")
    return Outgoing(
        body=value,
        tweet_id=about.key,
        rule_ids=tuple(rules.split(",")) if rules else (),
        created_at_ms=about.time_ms or None,
    )


def _keep(messages: list[Outgoing], folder: Path, settings: OutboxSettings) -> None:
    # it exists when an earlier import was interrupted
    open_outbox = Outbox.adopt if folder.exists() else Outbox.create
    outbox = open_outbox(folder, synced=settings.synced, max_bytes=settings.max_bytes)
    try:
        for start in range(0, len(messages), _BATCH_MESSAGES):
            outbox.put(messages[start : start + _BATCH_MESSAGES])
    finally:
        outbox.close()
