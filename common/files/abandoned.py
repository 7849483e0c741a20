"""Remove what workers of apps that are gone left in `state_dir`: the posts that they saw, and their reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

# A month of the bill: until then an app may come back, and its reads count.
KEPT_S: Final = 31 * 86400.0
_FOLDERS: Final = ("seen", "reads", "fillreads")


def remove_abandoned(state_dir: Path, served: Collection[str], now: float) -> list[Path]:
    """Remove such folders of connections other than `served` whose files are old, and return them.

    `now` is a Unix time. What cannot be removed is left for another time.
    """
    found = [
        folder
        for kind in _FOLDERS
        for folder in _subfolders(state_dir / kind)
        if folder.name not in served and now - _written_at(folder) > KEPT_S
    ]
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder for folder in found if not folder.exists()]


def _written_at(folder: Path) -> float:
    """Return when anything in a folder was last written; now and later for one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return max((entry.stat().st_mtime for entry in entries), default=folder.stat().st_mtime)
    except OSError:
        return float("inf")


def _subfolders(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
