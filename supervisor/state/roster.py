"""`run_dir/workers.json`: which worker processes live, for whoever comes after a master that died."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import psutil

from traptor.common.disk import is_full

_Pid = Annotated[int, msgspec.Meta(gt=1, lt=1 << 31)]


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One worker process; pid and create time together name it for good."""

    pid: _Pid
    create_time: float
    connection: str
    generation: int


def encoded(entry: RosterEntry) -> msgspec.Raw:
    """Return an entry as it stands in the file."""
    return msgspec.Raw(msgspec.json.encode(entry))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file in one step: a reader sees the old content or the new."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_anyhow(path: Path, content: bytes) -> None:
    """Replace the file as `write_atomically` does; on a disk without room for two, the old one goes first."""
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
        """Replace what the file says; entries may be encoded already."""
        write_atomically(self._path, msgspec.json.encode(list(entries)))

    def read(self) -> tuple[RosterEntry, ...]:
        """What a predecessor left; nothing when there is no file or it is not one of ours."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=tuple[RosterEntry, ...])
        except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return ()


def end_process(entry: RosterEntry) -> bool:
    """KILL the worker if it is still the one that the roster means. Whether it was there."""
    try:
        process = psutil.Process(entry.pid)
        # The two readings of a start time may differ by a clock tick.
        if abs(process.create_time() - entry.create_time) > 0.5:
            return False
        process.kill()
    except psutil.Error:
        return False  # gone, or not ours to end: then workers.lock says whether it matters
    return True
