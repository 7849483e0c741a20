"""Check that this host has what a supervisor needs: folders, disk space, addresses, descriptors."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.sections.supervisor import SupervisorSection
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.errors import ConfigError
from traptor.supervisor.control.place import socket_path
from traptor.supervisor.keys.addresses import is_on_this_host

# Per connection the master holds a socket, a pidfd, a log queue and two pipes; twice that during a refresh.
_DESCRIPTORS_PER_CONNECTION = 12
_DESCRIPTORS_OF_MASTER = 96

_MIB = 1 << 20
_LEAST_INODES = 1_000


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that the supervisor writes to, how many free bytes are too few for it, and why."""

    option: str
    path: Path
    least_bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Free:
    """The free space of a file system; `inodes` is None when it does not count them."""

    bytes: int
    inodes: int | None

    @classmethod
    def at(cls, folder: Path) -> Free:
        """Ask the file system that a folder is on, or would be on."""
        found = os.statvfs(_existing(folder))
        return cls(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def folders(traptor: TraptorSection | None, supervisor: SupervisorSection | None) -> list[Folder]:
    """Return the folders that these sections name."""
    named: list[Folder] = []
    if supervisor is not None:
        outbox = "one connection's outbox may take outbox_max_bytes, and on disk three times that"
        named.append(Folder("run_dir", supervisor.run_dir, 16 * _MIB, "the status is written there"))
        named.append(Folder("state_dir", supervisor.state_dir, supervisor.outbox_max_bytes, outbox))
        if supervisor.log_dir is not None:
            named.append(Folder("log_dir", supervisor.log_dir, 256 * _MIB, "what does not fit is not logged"))
    kind, _, place = ("", "", "") if traptor is None else traptor.output.partition(":")
    if kind == "jsonl" and place != "-":
        named.append(Folder("output", Path(place), 256 * _MIB, "a tweet takes some kilobytes"))
    return named


def unusable_folders(named: Iterable[Folder]) -> Iterator[str]:
    """Yield a sentence for each folder that cannot be created or written to."""
    for folder in named:
        existing = _existing(folder.path)
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            yield (
                f"{folder.option}: {folder.path} cannot be made or written to;"
                " make it, or name another folder"
            )


def full_disks(named: Iterable[Folder]) -> Iterator[str]:
    """Yield a sentence for each folder with little room left."""
    for folder in named:
        try:
            free = Free.at(folder.path)
        except OSError as error:
            yield f"{folder.option}: cannot tell how much room {folder.path} has: {error.strerror}"
        else:
            yield from little_room(folder, free)


def little_room(folder: Folder, free: Free) -> Iterator[str]:
    """Yield a sentence for each resource that a folder lacks."""
    if free.bytes < folder.least_bytes:
        yield (
            f"{folder.option}: only {_size(free.bytes)} are free at {folder.path},"
            f" less than {_size(folder.least_bytes)}: {folder.why}"
        )
    if free.inodes is not None and free.inodes < _LEAST_INODES:
        yield f"{folder.option}: only {free.inodes} more files can be made at {folder.path} (inodes)"


def socket_problems(supervisor: SupervisorSection | None) -> Iterator[str]:
    """Yield a sentence if the control socket's path is too long."""
    try:
        if supervisor is not None:
            socket_path(supervisor.run_dir)
    except ConfigError as error:
        yield from map(str, error.problems)


def absent_addresses(keys: Iterable[ApiKey]) -> Iterator[str]:
    """Yield a sentence for each key whose source address is not on this host."""
    for key in keys:
        if key.source_address and not is_on_this_host(key.source_address):
            yield f"key {key.name} is not used: source_address {key.source_address} is not on this host"


def connections_that_fit() -> int:
    """Return how many connections the open file limit allows (the supervisor raises it to the hard limit)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, (hard - _DESCRIPTORS_OF_MASTER) // _DESCRIPTORS_PER_CONNECTION)


def _existing(folder: Path) -> Path:
    """Return the folder, or its nearest existing parent."""
    return next(place for place in (folder, *folder.parents) if os.path.lexists(place))


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / _MIB:.0f} MiB"
