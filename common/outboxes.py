"""Where the outboxes of all generations are: `state_dir/outbox/<connection>/<generation>/`."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

OUTBOX_LOCK = "lock"
_UNDELIVERED = re.compile(r"(.+)-([0-9]+)\.jsonl")


def outbox_folder(state_dir: Path, connection: str) -> Path:
    """The folder of one connection's outboxes."""
    return state_dir / "outbox" / connection


def outboxes(state_dir: Path, connection: str) -> list[Path]:
    """The outboxes that there are of one connection, by generation."""
    return generation_folders(outbox_folder(state_dir, connection))


def generation_folders(folder: Path) -> list[Path]:
    """Those in the folder of a connection, by generation."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [folder / str(number) for number in sorted(int(name) for name in names if name.isdecimal())]


def undelivered_files(state_dir: Path, connection: str) -> list[tuple[int, Path]]:
    """Files in which versions before 0.2 kept what was not confirmed, with their generation."""
    found = (
        (_UNDELIVERED.fullmatch(path.name), path) for path in (state_dir / "undelivered").glob("*.jsonl")
    )
    return sorted((int(match[2]), path) for match, path in found if match and match[1] == connection)


def ownerless(state_dir: Path) -> set[str]:
    """The connections of which there is an outbox that no process has."""
    names = set(_subfolders(state_dir / "outbox"))
    left = {name for name in names if any(map(is_ownerless, outboxes(state_dir, name)))}
    files = ((_UNDELIVERED.fullmatch(path.name)) for path in (state_dir / "undelivered").glob("*.jsonl"))
    return left | {match[1] for match in files if match}


def is_ownerless(outbox: Path) -> bool:
    """Whether no process has this outbox open now."""
    try:
        fd = os.open(outbox / OUTBOX_LOCK, os.O_RDWR | os.O_CLOEXEC)
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
