"""The file of seen posts, to which the workers of one app append, and the lock that they take turns with.

Words are appended by one write and never changed. A full file is closed by the word TURNED and kept as the
older of two (docs/decisions/0025-seen-posts.md).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from traptor.common.files.folders import make_private
from traptor.common.files.opening import open_own
from traptor.worker.seen.words import FORMAT, TURNED

MOST_WORDS: Final = 1 << 19  # of each of the two files: 4 MiB
_NAME, _OLDER, _LOCK = "words", "words.older", "lock"
_WORD_BYTES: Final = 8
_ONE: Final = struct.Struct("=Q")
_FLAGS: Final = os.O_RDWR | os.O_CREAT
_FORMAT: Final = array("Q", [FORMAT]).tobytes()
_FIRST_PAUSE_S: Final = 0.0002
_LONGEST_PAUSE_S: Final = 0.01
_LONGEST_SIGNATURE: Final = 512
_END: Final = b"\0"


class WordLog:
    """The files in one folder; used by one thread at a time. All methods raise OSError."""

    def __init__(self, folder: Path, most_words: int = MOST_WORDS) -> None:
        self._folder = folder
        self._most_bytes = most_words * _WORD_BYTES
        self._fd = self._lock_fd = -1
        self._read_to = 0
        self._own_bytes = 0  # appended since then without the lock
        self._is_locked = False

    def open(self, wait_s: float) -> list[Sequence[int]]:
        """Open the files, and return what stands in them, the older words first."""
        make_private(self._folder)
        self._lock_fd = open_own(self._folder / _LOCK, _FLAGS)
        is_locked = self.lock(wait_s)
        try:
            return self._all()
        finally:
            if is_locked:
                self.unlock()

    @property
    def is_open(self) -> bool:
        """True between `open` and `close`."""
        return self._fd >= 0

    def lock(self, wait_s: float) -> bool:
        """Take the lock; return False if another process keeps it that long."""
        until, pause_s = time.monotonic() + wait_s, _FIRST_PAUSE_S
        while True:
            try:
                fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    return False
                time.sleep(pause_s)  # the other one commits some messages
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._is_locked = True
            return True

    def sign(self, who: str) -> None:
        """Leave a name with the lock, for the next one if its holder is killed. The lock must be held."""
        os.pwrite(self._lock_fd, who.encode() + _END, 0)

    def erase(self) -> None:
        """Remove the name. The lock must be held."""
        os.pwrite(self._lock_fd, _END, 0)

    def signature(self) -> str:
        """Return the name that was left with the lock; empty: there is none."""
        if os.pread(self._lock_fd, 1, 0) in (b"", _END):  # nearly always
            return ""
        return os.pread(self._lock_fd, _LONGEST_SIGNATURE, 0).partition(_END)[0].decode(errors="replace")

    def unlock(self) -> None:
        """Let others have the lock."""
        self._is_locked = False
        fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def news(self) -> Sequence[int]:
        """Return what others have appended since the last call. The lock must be held."""
        size = os.fstat(self._fd).st_size
        if size - self._read_to == self._own_bytes:
            self._read_to, self._own_bytes = size, 0
            return ()
        self._own_bytes = 0
        words = part = self._rest(size)
        while TURNED in part:
            words.extend(self._follow())
            part = self._rest(os.fstat(self._fd).st_size)
            words.extend(part)
        return words

    def append(self, words: Sequence[int]) -> None:
        """Append words; with the lock, `news` must have been called since it was taken."""
        data = _ONE.pack(words[0]) if len(words) == 1 else array("Q", words).tobytes()
        written = os.write(self._fd, data)
        if self._is_locked:
            self._read_to += written
        else:
            self._own_bytes += written
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._read_to + self._own_bytes >= self._most_bytes:
            self._turn()

    def close(self) -> None:
        """Close the files."""
        for fd in (self._fd, self._lock_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock_fd = -1

    # ---- steps

    def _all(self) -> list[Sequence[int]]:
        before = self._older()
        self._open_newest()
        return [before, self.news()]

    def _rest(self, size: int) -> array[int]:
        """Return the words from where reading ended, whole ones only."""
        if rest := size % _WORD_BYTES:  # a writer was killed in the middle, or had no room
            size += os.write(self._fd, bytes(_WORD_BYTES - rest))
        begin = max(min(self._read_to, size), size - 2 * self._most_bytes)
        words = _words(os.pread(self._fd, max(0, size - begin), begin))
        self._read_to = begin + len(words) * _WORD_BYTES
        return words

    def _turn(self) -> None:
        """Begin a new file, unless another process has the lock: then at a later time."""
        had_lock = self._is_locked
        if not had_lock and not self.lock(0.0):
            return
        try:
            os.write(self._fd, array("Q", [TURNED]).tobytes())
            self._follow()
        finally:
            if not had_lock:
                self.unlock()

    def _follow(self) -> Sequence[int]:
        """Go on with the newest file; return the words of the one before it, if that was never read.

        If whoever closed the last file could not put it away, this does it.
        """
        path, older = self._folder / _NAME, self._folder / _OLDER
        if _is_same(path, self._fd):
            os.replace(path, older)
        missed = () if _is_same(older, self._fd) else self._older()
        os.close(self._fd)
        self._fd = -1
        self._open_newest()
        return missed

    def _older(self) -> Sequence[int]:
        try:
            data = (self._folder / _OLDER).read_bytes()
        except FileNotFoundError:
            return ()
        return _words(data[-2 * self._most_bytes :])

    def _open_newest(self) -> None:
        path = self._folder / _NAME
        self._fd = open_own(path, _FLAGS | os.O_APPEND)
        begin = os.pread(self._fd, _WORD_BYTES, 0)
        if begin and begin != _FORMAT:  # of another version, or damaged
            path.unlink()
            os.close(self._fd)
            self._fd = open_own(path, _FLAGS | os.O_APPEND)
            begin = b""
        if not begin:
            os.write(self._fd, _FORMAT)
        self._read_to, self._own_bytes = _WORD_BYTES, 0


def _words(data: bytes) -> array[int]:
    words = array("Q")
    words.frombytes(data[: len(data) - len(data) % _WORD_BYTES])
    return words


def _is_same(path: Path, fd: int) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    own = os.fstat(fd)
    return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)
