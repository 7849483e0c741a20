"""`run_dir/workers.json`: which workers are alive, for the successor of a master that died."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import psutil

from traptor.common.files.disk import is_full
from traptor.common.files.opening import open_own

_MODE = 0o644
_MOST_BYTES = 1 << 26

_Pid = Annotated[int, msgspec.Meta(gt=1, lt=1 << 31)]


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One worker process; pid and creation time together identify it for good."""

    pid: _Pid
    create_time: float
    connection: str
    generation: int


def encoded(entry: RosterEntry) -> msgspec.Raw:
    """Return an entry in the form of the file."""
    return msgspec.Raw(msgspec.json.encode(entry))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file in one step: a reader sees either the old or the new content."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(open_own(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def write_anyhow(path: Path, content: bytes) -> None:
    """Replace the file like `write_atomically`; on a disk without room for both, the old one goes first."""
    try:
        write_atomically(path, content)
    except OSError as error:
        if not is_full(error):
            raise
        path.unlink(missing_ok=True)
        write_atomically(path, content)


class Roster:
    """Reads and replaces the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, entries: Iterable[RosterEntry | msgspec.Raw]) -> None:
        """Replace the file's content; entries may be encoded already."""
        write_atomically(self._path, msgspec.json.encode(list(entries)))

    def read(self) -> tuple[RosterEntry, ...]:
        """Return what a predecessor left; empty when there is no file or it is not a roster."""
        try:
            return msgspec.json.decode(_own_content(self._path), type=tuple[RosterEntry, ...])
        except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return ()


def _own_content(path: Path) -> bytes:
    """Return the content of a regular file of this user. Raises OSError, or ValueError for another's."""
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise ValueError("not a file of ours")
        return file.read(_MOST_BYTES)


def end_process(entry: RosterEntry) -> bool:
    """KILL the worker if start time and title identify it, and return whether they did."""
    try:
        process = psutil.Process(entry.pid)
        # Two readings of a start time may differ by a clock tick.
        if abs(process.create_time() - entry.create_time) > 0.5:
            return False
        if process.uids().effective != os.geteuid() or not _is_worker(process.cmdline(), entry.connection):
            return False
        process.kill()
    except (psutil.Error, OSError):
        return False  # gone, or not ours to end: workers.lock then tells whether it matters
    return True


def _is_worker(command: list[str], connection: str) -> bool:
    """Tell whether a process has the title of a worker of this connection."""
    return " ".join(command).startswith(f"traptor: {connection} [")
