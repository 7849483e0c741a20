"""Small disks under the state, the logs, and Kafka or the output, so that the chaos can fill them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
from trial.folder import TrialFolder
from trial.smalldisk import NoSmallDisk, SmallDisk, enter_mount_namespace

from chaos_parts.schedule import Kind

_STATE_BYTES = 96 << 20
_LOG_BYTES = 256 << 20
_MEMORY_SHARE = 0.5


class Disks:
    """A context manager that mounts them, if this host permits, and keeps their content at the end.

    `large` fills the one that holds all tweets. Enter it before anything else is started: all processes must
    see the disks. A disk that cannot be mounted is reported to `say` and missing from `by_kind`.
    """

    def __init__(
        self, folder: TrialFolder, large: Kind, large_bytes: int, say: Callable[[str], None]
    ) -> None:
        self.by_kind: dict[Kind, SmallDisk] = {}
        self._folder = folder
        self._large = large
        self._large_bytes = large_bytes
        self._say = say
        self._mounted = ExitStack()

    def __enter__(self) -> Disks:
        try:
            enter_mount_namespace(as_user=True)
            self._mount(Kind.FILL_STATE, self._folder.state, _STATE_BYTES)
            self._mount(Kind.FILL_LOGS, self._folder.logs, _LOG_BYTES)
            self._mount_large()
        except NoSmallDisk as error:
            self._say(f"no disk is filled: {error}")
        return self

    def __exit__(self, *_: object) -> None:
        self._mounted.close()

    def _mount_large(self) -> None:
        """Mount the disk that holds all tweets, in memory."""
        available = psutil.virtual_memory().available
        if self._large_bytes > _MEMORY_SHARE * available:
            self._say(
                f"left out: {self._large}: its {self._large_bytes >> 20} MiB are more than half of "
                f"the {available >> 20} MiB of memory that are free; let it run for fewer minutes"
            )
        elif self._large is Kind.FILL_KAFKA:
            self._mount(self._large, self._folder.kafka, self._large_bytes, keep=False)
        else:
            self._mount(self._large, self._folder.output, self._large_bytes)

    def _mount(self, kind: Kind, folder: Path, size_bytes: int, *, keep: bool = True) -> None:
        disk = SmallDisk(folder, size_bytes)
        self.by_kind[kind] = disk
        self._mounted.callback(_end_and_keep if keep else SmallDisk.unmount, disk)


def _end_and_keep(disk: SmallDisk) -> None:
    """Unmount the disk and leave its content in its place."""
    disk.free()
    kept = disk.folder.with_name(f"{disk.folder.name}.kept")
    shutil.copytree(disk.folder, kept)
    disk.unmount()
    shutil.copytree(kept, disk.folder, dirs_exist_ok=True)
    shutil.rmtree(kept)
