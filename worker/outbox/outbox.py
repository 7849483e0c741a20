"""The outbox of one generation: messages read from the stream and not yet delivered, on disk.

Messages are kept in batches, each one value of an LMDB file: the messages of a few milliseconds cost one put
and one commit, and leave with one delete when all are delivered. Without `writemap`, so that a full disk is
an error and not a SIGBUS (docs/decisions/0006-outbox-store.md).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lmdb
import msgspec

from traptor.common.files.folders import make_private
from traptor.common.files.mark import Mark, MarkFile
from traptor.common.files.opening import open_own
from traptor.common.files.outboxes import OUTBOX_LOCK, note_count
from traptor.worker.outbox.file import PAGE_BYTES, DiskFull, OutboxError, OutboxFile
from traptor.worker.outbox.message import Outgoing

__all__ = ["Batch", "DiskFull", "Outbox", "OutboxError", "OutboxInUse", "portions"]

_KEY = struct.Struct(">QI")  # a batch's number, and its number of messages
# The first entry, as batches are numbered from 1: tells later versions how to read the others.
_FORMAT_KEY = _KEY.pack(0, 0)
_FORMAT = b"1"
# Maximum pages freed in one commit: LMDB lists them, and the list must fit into the file's reserve.
_PORTION_PAGES = 2_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Outgoing, ...]).decode


class OutboxInUse(Exception):
    """Another process has the outbox open, or it is gone by now."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The position of some messages in an outbox."""

    number: int
    size: int  # number of messages
    bytes: int

    @property
    def pages(self) -> int:
        """The number of pages of the file that it takes."""
        return self.bytes // PAGE_BYTES + 1


def portions(batches: Sequence[Batch]) -> Iterator[Sequence[Batch]]:
    """Split batches to be removed into portions that fit into one commit."""
    start = pages = 0
    for end, batch in enumerate(batches):
        pages += batch.pages
        if end > start and pages > _PORTION_PAGES:
            yield batches[start:end]
            start, pages = end, batch.pages
    if start < len(batches):
        yield batches[start:]


class Outbox:
    """Keeps batches of messages of `generation` in `folder`, which no other process can open meanwhile.

    For use by one thread at a time. Every put and remove is committed when it returns: it survives a SIGKILL,
    and with `synced` a power cut too.
    """

    def __init__(self, folder: Path, lock_fd: int, *, synced: bool, max_bytes: int) -> None:
        self.folder = folder
        self.generation = int(folder.name)
        self.messages = 0
        self.bytes = 0
        self.last = 0  # number of the newest batch
        self._lock_fd = lock_fd
        self._file = OutboxFile(folder, (_FORMAT_KEY, _FORMAT), synced=synced, max_bytes=max_bytes)
        self._mark: MarkFile | None = None

    @classmethod
    def create(cls, folder: Path, *, synced: bool, max_bytes: int) -> Outbox:
        """Create the outbox of the generation that `folder` is named for. Raises OSError."""
        # Locked before it gets its name: nobody can adopt it in between.
        nascent = folder.with_name(f".{folder.name}")
        shutil.rmtree(nascent, ignore_errors=True)
        outbox: Outbox | None = None
        try:
            make_private(nascent)
            lock_fd = open_own(nascent / OUTBOX_LOCK, os.O_RDWR | os.O_CREAT)
            outbox = cls(folder, lock_fd, synced=synced, max_bytes=max_bytes)
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            outbox._mark = MarkFile(nascent)
            outbox._note_count()
            nascent.rename(folder)
        except OSError:
            if outbox is not None:
                outbox.close()
            shutil.rmtree(nascent, ignore_errors=True)
            raise
        return outbox

    @classmethod
    def adopt(cls, folder: Path, *, synced: bool, max_bytes: int) -> Outbox:
        """Open the outbox that a generation left. Raises OutboxInUse, OutboxError."""
        try:
            lock_fd = open_own(folder / OUTBOX_LOCK, os.O_RDWR)
        except OSError as error:
            raise OutboxInUse(str(folder)) from error
        outbox = cls(folder, lock_fd, synced=synced, max_bytes=max_bytes)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (folder / OUTBOX_LOCK).exists():
                raise OutboxInUse(str(folder))  # its owner removed it before we had the lock
            outbox._count()
            outbox._note_count()
        except BlockingIOError:
            outbox.close()
            raise OutboxInUse(str(folder)) from None
        except BaseException:
            outbox.close()
            raise
        return outbox

    # ---- content

    def put(self, messages: Sequence[Outgoing], delivered: Iterable[Batch] = ()) -> Batch:
        """Store a batch, and remove a portion that is delivered.

        Raises OutboxError, or DiskFull on a full disk; then nothing is changed.
        """
        value = _encode(messages)
        batch = Batch(self.last + 1, len(messages), len(value))
        gone = tuple(delivered)
        self._file.need_room(len(value))
        try:
            with self._file.opened().begin(write=True) as transaction:
                transaction.put(_key(batch), value, append=True)
                for one in gone:
                    transaction.delete(_key(one))
        except (lmdb.Error, OSError) as error:
            raise self._file.failure(error) from error
        self.last = batch.number
        self._add(batch)
        self._subtract(gone)
        self._note_count()
        return batch

    def remove(self, delivered: Iterable[Batch]) -> None:
        """Remove a portion that is delivered. Raises OutboxError, and nothing is changed then."""
        gone = tuple(delivered)
        try:
            with self._file.opened().begin(write=True) as transaction:
                for batch in gone:
                    transaction.delete(_key(batch))
        except (lmdb.Error, OSError) as error:
            raise self._file.failure(error) from error
        self._subtract(gone)
        self._note_count()

    def after(self, number: int) -> Batch | None:
        """Return the first batch whose number is above `number`. Raises OutboxError."""
        try:
            with self._file.opened().begin(buffers=True) as transaction, transaction.cursor() as cursor:
                if not cursor.set_range(_KEY.pack(number + 1, 0)):
                    return None
                found, size = _KEY.unpack(cursor.key())
                return Batch(found, size, len(cursor.value()))
        except (lmdb.Error, OSError) as error:
            raise self._file.failure(error) from error

    def read(self, batch: Batch) -> tuple[Outgoing, ...]:
        """Return the messages of a batch. Raises OutboxError."""
        try:
            with self._file.opened().begin() as transaction:
                value = transaction.get(_key(batch))
        except (lmdb.Error, OSError) as error:
            raise self._file.failure(error) from error
        try:
            return _decode(value or b"\x90")
        except msgspec.MsgspecError as error:
            raise OutboxError(f"{self.folder}: batch {batch.number} cannot be read: {error}") from error

    def newest(self) -> tuple[Outgoing, ...]:
        """Return the messages of the newest batch; none if they cannot be read now."""
        try:
            batch = self.after(self.last - 1) if self.last else None
            return () if batch is None else self.read(batch)
        except OutboxError:
            return ()

    def mark(self, mark: Mark) -> None:
        """Record the time up to which all received data is safe."""
        if self._mark is not None:
            self._mark.write(mark)

    def clear(self) -> None:
        """Remove everything, even when the disk has no room to remove a part."""
        self._file.remove()
        self.messages = self.bytes = 0
        self._note_count()

    def give_back(self) -> None:
        """Return unused space to the disk."""
        self._file.give_back(self.bytes)

    # ---- end

    def close(self) -> None:
        """Close the outbox: its content stays for others."""
        self._file.close()
        if self._mark is not None:
            self._mark.close()
            self._mark = None
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def delete(self) -> None:
        """Remove the empty outbox and close it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    # ---- steps

    def _count(self) -> None:
        """Count the content."""
        if not self._file.path.exists():
            return
        try:
            with self._file.opened().begin(buffers=True) as transaction, transaction.cursor() as cursor:
                found = bytes(transaction.get(_FORMAT_KEY) or b"")
                if found != _FORMAT:
                    raise OutboxError(
                        f"{self.folder}: written by another version of Traptor (format {found!r}, this one"
                        f" knows {_FORMAT!r}); have that version deliver it"
                    )
                for key, value in cursor:
                    number, size = _KEY.unpack(key)
                    if number:
                        self.last = number
                        self._add(Batch(number, size, len(value)))
        except (lmdb.Error, OSError, struct.error) as error:
            raise OutboxError(f"{self.folder}: it cannot be read: {error}") from error

    def _add(self, batch: Batch) -> None:
        self.messages += batch.size
        self.bytes += batch.bytes

    def _subtract(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self.messages -= batch.size
            self.bytes -= batch.bytes

    def _note_count(self) -> None:
        note_count(self._lock_fd, self.messages, self.bytes)


def _key(batch: Batch) -> bytes:
    return _KEY.pack(batch.number, batch.size)
