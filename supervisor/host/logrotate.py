"""Rotate log files by size: the master renames, and every writer notices that its file name is free.

Nothing is copied or truncated, so no record is lost or mixed. Before `x.log` becomes `x.log.1`, the latter
becomes `x.log.2`, and so on. logrotate (create) may be used instead, or alongside.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from traptor.common.logs.event import fields

log = logging.getLogger(__name__)

_OLD = re.compile(r"(.+\.log)\.([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Rename:
    """One step: rename a file, or remove it when `to` is None."""

    name: str
    to: str | None


def rotate_logs(log_dir: Path, max_bytes: int, keep: int) -> None:
    """Rename every `*.log` in `log_dir` of `max_bytes` or more, and keep `keep` old ones of each."""
    try:
        sizes = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in os.scandir(log_dir)}
    except OSError:
        return  # the folder is missing, or a file vanished meanwhile: the next check is soon
    for move in moves(sizes, max_bytes, keep):
        _make(log_dir, move)


def moves(sizes: Mapping[str, int], max_bytes: int, keep: int) -> list[Rename]:
    """Return the steps, in order, that rotate these files (name -> size in bytes)."""
    old = _old_numbers(sizes)
    steps = []
    for name, size in sorted(sizes.items()):
        if name.endswith(".log") and size >= max(1, max_bytes):
            steps += _moves_of_one(name, old.get(name, set()), keep)
    return steps


def _moves_of_one(name: str, old: set[int], keep: int) -> list[Rename]:
    steps = [Rename(f"{name}.{number}", None) for number in sorted(old) if number >= keep]
    free = next(number for number in range(1, len(old) + 2) if number not in old or number >= keep)
    steps += [Rename(f"{name}.{number}", f"{name}.{number + 1}") for number in range(free - 1, 0, -1)]
    steps.append(Rename(name, f"{name}.1" if keep else None))
    return steps


def _old_numbers(names: Iterable[str]) -> dict[str, set[int]]:
    old: dict[str, set[int]] = {}
    for name in names:
        if match := _OLD.fullmatch(name):
            old.setdefault(match[1], set()).add(int(match[2]))
    return old


def _make(log_dir: Path, move: Rename) -> None:
    path = log_dir / move.name
    try:
        if move.to is None:
            path.unlink(missing_ok=True)
        else:
            path.rename(log_dir / move.to)
    except OSError as error:
        log.warning("a log file is not rotated", extra=fields(file=path, error=error.strerror))
