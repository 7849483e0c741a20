"""The outbox of one generation: what was read from the stream and is not yet delivered, on disk.

Messages are kept in batches, each one value of an LMDB file: the batch that a few milliseconds of a stream
make costs one put and one commit, and leaves with one delete when all its messages are delivered. Without
`writemap`, as a full disk is then an error and not a SIGBUS (docs/decisions/0006-outbox-store.md).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lmdb
import msgspec

from traptor.common.mark import Mark, MarkFile
from traptor.common.outboxes import OUTBOX_LOCK
from traptor.worker.delivery.message import Outgoing

_FILE_MODE = 0o640
_DATA = "data.mdb"
_KEY = struct.Struct(">QI")  # a batch's number, and how many messages are in it
# The first entry, as batches are numbered from 1: tells later versions how to read the others.
_FORMAT_KEY = _KEY.pack(0, 0)
_FORMAT = b"1"
# Pages are 4 KiB and a value begins a new one; deleted ones are free again two commits later.
_MAP_SLACK = 3
_MAP_LEAST_BYTES = 1 << 28

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Outgoing, ...]).decode


class OutboxInUse(Exception):
    """Another process has the outbox, or it is gone by now."""


class OutboxError(Exception):
    """The outbox cannot be read or written now; says why."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Where some messages stand in an outbox."""

    number: int
    size: int  # messages
    bytes: int


class Outbox:
    """Keeps batches of messages of `generation` in `folder`, which no other process can open meanwhile.

    To be used by one thread at a time. Every put and remove is committed when it returns: it survives a
    SIGKILL, and with `synced` a power cut too.
    """

    def __init__(self, folder: Path, lock_fd: int, *, synced: bool, max_bytes: int) -> None:
        self.folder = folder
        self.generation = int(folder.name)
        self.messages = 0
        self.bytes = 0
        self.last = 0  # number of the newest batch
        self._lock_fd = lock_fd
        self._synced = synced
        self._map_bytes = max(_MAP_SLACK * max_bytes, _MAP_LEAST_BYTES)
        self._env: lmdb.Environment | None = None
        self._mark: MarkFile | None = None

    @classmethod
    def create(cls, folder: Path, *, synced: bool, max_bytes: int) -> Outbox:
        """The new outbox of the generation that `folder` is named for. Raises OSError."""
        # Locked before it has its name: nobody can adopt it in between.
        nascent = folder.with_name(f".{folder.name}")
        shutil.rmtree(nascent, ignore_errors=True)
        nascent.mkdir(parents=True)
        lock_fd = os.open(nascent / OUTBOX_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        nascent.rename(folder)
        outbox = cls(folder, lock_fd, synced=synced, max_bytes=max_bytes)
        outbox._mark = MarkFile(folder)
        return outbox

    @classmethod
    def adopt(cls, folder: Path, *, synced: bool, max_bytes: int) -> Outbox:
        """The outbox that a generation left. Raises OutboxInUse, OutboxError."""
        try:
            lock_fd = os.open(folder / OUTBOX_LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise OutboxInUse(str(folder)) from error
        outbox = cls(folder, lock_fd, synced=synced, max_bytes=max_bytes)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (folder / OUTBOX_LOCK).exists():
                raise OutboxInUse(str(folder))  # its owner removed it before we had the lock
            outbox._count()
        except BlockingIOError:
            outbox.close()
            raise OutboxInUse(str(folder)) from None
        except BaseException:
            outbox.close()
            raise
        return outbox

    # ---- what is kept

    def put(self, messages: Sequence[Outgoing], delivered: Iterable[Batch] = ()) -> Batch:
        """Keep a batch, and take out those that are delivered. Raises OutboxError, and nothing is changed."""
        value = _encode(messages)
        batch = Batch(self.last + 1, len(messages), len(value))
        gone = tuple(delivered)
        try:
            with self._opened().begin(write=True) as transaction:
                transaction.put(_key(batch), value, append=True)
                for one in gone:
                    transaction.delete(_key(one))
        except lmdb.Error as error:
            raise self._failure(error) from error
        self.last = batch.number
        self._add(batch)
        self._subtract(gone)
        return batch

    def remove(self, delivered: Iterable[Batch]) -> None:
        """Take out batches that are delivered. Raises OutboxError, and nothing is changed."""
        gone = tuple(delivered)
        try:
            with self._opened().begin(write=True) as transaction:
                for batch in gone:
                    transaction.delete(_key(batch))
        except lmdb.Error as error:
            raise self._failure(error) from error
        self._subtract(gone)

    def after(self, number: int) -> Batch | None:
        """The first batch whose number is above `number`. Raises OutboxError."""
        try:
            with self._opened().begin(buffers=True) as transaction, transaction.cursor() as cursor:
                if not cursor.set_range(_KEY.pack(number + 1, 0)):
                    return None
                found, size = _KEY.unpack(cursor.key())
                return Batch(found, size, len(cursor.value()))
        except lmdb.Error as error:
            raise self._failure(error) from error

    def read(self, batch: Batch) -> tuple[Outgoing, ...]:
        """The messages of a batch. Raises OutboxError."""
        try:
            with self._opened().begin() as transaction:
                value = transaction.get(_key(batch))
        except lmdb.Error as error:
            raise self._failure(error) from error
        try:
            return _decode(value or b"\x90")
        except msgspec.MsgspecError as error:
            raise OutboxError(f"{self.folder}: batch {batch.number} cannot be read: {error}") from error

    def mark(self, mark: Mark) -> None:
        """Note until when all that came is safe."""
        if self._mark is not None:
            self._mark.write(mark)

    # ---- its end

    def close(self) -> None:
        """Let go of it: what is in it stays for others."""
        if self._env is not None:
            self._env.close()
            self._env = None
        if self._mark is not None:
            self._mark.close()
            self._mark = None
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def delete(self) -> None:
        """Remove it, empty as it is, and let go of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    # ---- steps

    def _opened(self) -> lmdb.Environment:
        """The file, made when it is first needed: most outboxes of files of lines never are."""
        if self._env is None:
            env = lmdb.open(
                str(self.folder),
                map_size=self._map_bytes,
                mode=_FILE_MODE,
                sync=self._synced,
                metasync=self._synced,
                writemap=False,
                lock=False,  # the flock keeps other processes out, the caller its other threads
                readahead=False,
                max_dbs=0,
            )
            try:
                with env.begin(write=True) as transaction:
                    transaction.put(_FORMAT_KEY, _FORMAT, overwrite=False)
            except lmdb.Error:
                env.close()
                raise
            self._env = env
        return self._env

    def _count(self) -> None:
        """Find out what is in it."""
        if not (self.folder / _DATA).exists():
            return
        try:
            with self._opened().begin(buffers=True) as transaction, transaction.cursor() as cursor:
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
        except (lmdb.Error, struct.error) as error:
            raise OutboxError(f"{self.folder}: it cannot be read: {error}") from error

    def _add(self, batch: Batch) -> None:
        self.messages += batch.size
        self.bytes += batch.bytes

    def _subtract(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self.messages -= batch.size
            self.bytes -= batch.bytes

    def _failure(self, error: lmdb.Error) -> OutboxError:
        if isinstance(error, lmdb.PanicError) and self._env is not None:
            self._env.close()  # of no use any more; opened anew at the next try
            self._env = None
        return OutboxError(f"{self.folder}: {error}")


def _key(batch: Batch) -> bytes:
    return _KEY.pack(batch.number, batch.size)
