"""Locate the outboxes of all generations: `state_dir/outbox/<connection>/<generation>/`."""

from __future__ import annotations

import fcntl
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from traptor.common.files.opening import open_own

OUTBOX_LOCK = "lock"
_TRIAL = "trial"
_COUNT = struct.Struct("<QQ")  # content of that file: messages, bytes
_UNDELIVERED = re.compile(r"(.+)-([0-9]+)\.jsonl")


def outbox_folder(state_dir: Path, connection: str) -> Path:
    """Return the folder of one connection's outboxes."""
    return state_dir / "outbox" / connection


def trial_folder(state_dir: Path, connection: str) -> Path:
    """Return the folder of the outboxes that one connection has for a trial output."""
    return outbox_folder(state_dir, connection) / _TRIAL


def outboxes(state_dir: Path, connection: str) -> list[Path]:
    """Return the existing outboxes of one connection, ordered by generation."""
    return generation_folders(outbox_folder(state_dir, connection))


def generation_folders(folder: Path) -> list[Path]:
    """Return the outboxes in a connection's folder, ordered by generation."""
    return [folder / str(number) for number in _generations(folder)]


def _generations(folder: Path | str) -> list[int]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(int(name) for name in names if name.isdecimal())


def undelivered_files(state_dir: Path, connection: str) -> list[tuple[int, Path]]:
    """Return files in which versions before 0.2 kept unconfirmed messages, with their generation."""
    found = _all_undelivered_files(state_dir)
    return sorted((generation, path) for whose, generation, path in found if whose == connection)


@dataclass(frozen=True, slots=True)
class Left:
    """Messages waiting in outboxes of one connection that no process has open; `trial`: for its trial."""

    outboxes: int = 0
    messages: int = 0
    bytes: int = 0
    trial: int = 0

    def __add__(self, other: Left) -> Left:
        return Left(
            self.outboxes + other.outboxes,
            self.messages + other.messages,
            self.bytes + other.bytes,
            self.trial + other.trial,
        )


def ownerless(state_dir: Path) -> dict[str, Left]:
    """Return what waits, by connection, in outboxes that no process has open."""
    found: dict[str, Left] = {}
    folder = state_dir / "outbox"
    for name in _subfolders(folder):
        for outbox in _ownerless_in(f"{folder}/{name}"):
            found[name] = found.get(name, Left()) + _left_in(outbox)
        for outbox in _ownerless_in(f"{folder}/{name}/{_TRIAL}"):
            found[name] = found.get(name, Left()) + Left(trial=_left_in(outbox).messages)
    for name, _, path in _all_undelivered_files(state_dir):
        found[name] = found.get(name, Left()) + Left(1, 0, _size(path))
    return found


def _ownerless_in(folder: str) -> Iterator[Path]:
    """Yield the outboxes in a folder that no process has open."""
    for number in _generations(folder):
        if is_ownerless(f"{folder}/{number}"):
            yield Path(folder, str(number))


def _all_undelivered_files(state_dir: Path) -> Iterator[tuple[str, int, Path]]:
    """Yield the old files with the connection and the generation of each.

    Not by a glob: each worker looks for them at its start, and would compile the pattern first.
    """
    folder = state_dir / "undelivered"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if match := _UNDELIVERED.fullmatch(name):
            yield match[1], int(match[2]), folder / name


def _left_in(outbox: Path) -> Left:
    try:
        content = (outbox / OUTBOX_LOCK).read_bytes()
    except OSError:
        return Left(1)
    if len(content) != _COUNT.size:  # written by an older version: its content is known once it is opened
        return Left(1, 0, _size(outbox / "data.mdb"))
    return Left(1, *_COUNT.unpack(content))


def note_count(lock_fd: int, messages: int, size_bytes: int) -> None:
    """Record in an outbox's lock file how much waits in it, for processes that may not open it."""
    try:
        os.pwrite(lock_fd, _COUNT.pack(messages, size_bytes), 0)
    except OSError:
        pass  # a full disk: the previous number stays


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_ownerless(outbox: Path | str) -> bool:
    """Tell whether no process has this outbox open now."""
    try:
        fd = open_own(f"{outbox}/{OUTBOX_LOCK}", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _subfolders(folder: Path) -> Iterator[str]:
    try:
        yield from (entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return
