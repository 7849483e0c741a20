"""Keep the messages of a topic that is deleted: link its files, and read them without a broker.

A link has the same content as Kafka's own file: also what is appended later, up to the deletion, which it
outlives. So nothing that Kafka confirmed is missing in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from traptor.common.errors import TraptorError

# Kafka, "Message Format", "Record Batch" (magic 2): offset and length, then what the length counts.
_BATCH = Struct(">qiibIhiqqqhii")
_BEFORE_LENGTH_ENDS = 12
_COMPRESSED, _CONTROL = 0x07, 0x20  # attributes


class KeptMessage(NamedTuple):
    """What a judge needs of a message."""

    key: bytes | None
    headers: dict[str, bytes | None]


def link_topic(data: Path, topic: str, folder: Path) -> Path:
    """Link the files of a topic, in the data of its broker, into a new folder on the same disk; return it."""
    folder.mkdir(parents=True)
    for partition in data.iterdir():
        if re.fullmatch(rf"{re.escape(topic)}-\d+", partition.name):
            for segment in partition.glob("*.log"):
                os.link(segment, folder / f"{partition.name}-{segment.name}")
    return folder


def kept_messages(folder: Path) -> Iterator[KeptMessage]:
    """Yield the messages of a deleted topic, by partition. Raises TraptorError when one is compressed."""
    for segment in sorted(folder.glob("*.log")):
        yield from _messages(memoryview(segment.read_bytes()))


def _messages(segment: memoryview) -> Iterator[KeptMessage]:
    start = 0
    while start + _BATCH.size <= len(segment):
        _, length, _, _, _, attributes, *_, count = _BATCH.unpack_from(segment, start)
        end = start + _BEFORE_LENGTH_ENDS + length
        if end > len(segment):
            return  # torn: the broker was killed, and has confirmed none of it
        if attributes & _COMPRESSED:
            raise TraptorError("messages of a deleted topic are compressed, and cannot be read here")
        if not attributes & _CONTROL:
            yield from _records(_Cursor(segment[start + _BATCH.size : end]), count)
        start = end


def _records(cursor: _Cursor, count: int) -> Iterator[KeptMessage]:
    for _ in range(count):
        cursor.number()  # its length
        cursor.skip(1)  # attributes
        cursor.number()  # timestamp
        cursor.number()  # offset
        key = cursor.text()
        cursor.text()  # the value
        headers = {(cursor.text() or b"").decode(): cursor.text() for _ in range(cursor.number())}
        yield KeptMessage(key, headers)


class _Cursor:
    """Reads the parts of records one after the other."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._place = 0

    def number(self) -> int:
        """Read a zigzag number of variable length."""
        shift = number = 0
        while True:
            byte = self._content[self._place]
            self._place += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)

    def text(self) -> bytes | None:
        """Read bytes with their length before them; None for a null."""
        length = self.number()
        return None if length < 0 else bytes(self.skip(length))

    def skip(self, length: int) -> memoryview:
        """Read so many bytes."""
        self._place += length
        return self._content[self._place - length : self._place]
