"""The outboxes of one connection: a generation creates its own, and adopts those of dead generations."""

from __future__ import annotations

import logging
from pathlib import Path

from traptor.common.birth import Birth
from traptor.common.errors import SinkError
from traptor.common.files.disk import is_full
from traptor.common.files.outboxes import generation_folders, outbox_folder
from traptor.common.logs.event import fields, lifecycle
from traptor.worker.outbox.outbox import DiskFull, Outbox, OutboxError, OutboxInUse

log = logging.getLogger(__name__)


class OutboxFolder:
    """A folder of outboxes as one generation uses it: its connection's, or another one."""

    def __init__(self, birth: Birth, folder: Path | None = None) -> None:
        self._folder = folder or outbox_folder(birth.settings.outbox.state_dir, birth.connection)
        self._generation = birth.generation
        self._drains = birth.drains
        self._settings = birth.settings.outbox
        self._said: set[Path] = set()

    def create(self) -> Outbox:
        """Create the generation's own outbox. Raises SinkError, and DiskFull when only room is missing."""
        folder = self._folder
        try:
            return Outbox.create(
                folder / str(self._generation),
                synced=self._settings.synced,
                max_bytes=self._settings.max_bytes,
            )
        except OSError as error:
            if is_full(error):
                raise DiskFull(f"{folder}: {error.strerror}") from error
            raise SinkError(
                f"[supervisor] state_dir: no outbox can be made in {folder} ({error.strerror}): give the "
                "folder to the user that runs Traptor"
            ) from error

    def adopt(self) -> list[Outbox]:
        """Return the outboxes of earlier generations that no process has open, oldest first.

        A drain worker counts as later than all of them.
        """
        folders = generation_folders(self._folder)
        before = [folder for folder in folders if self._drains or int(folder.name) < self._generation]
        return [outbox for folder in before if (outbox := self._try_to_adopt(folder)) is not None]

    def _try_to_adopt(self, folder: Path) -> Outbox | None:
        try:
            outbox = Outbox.adopt(folder, synced=self._settings.synced, max_bytes=self._settings.max_bytes)
        except OutboxInUse:
            return None
        except OutboxError as error:
            self._say(folder, str(error))
            return None
        if not outbox.messages:
            outbox.delete()
            return None
        about = lifecycle(of=outbox.generation, messages=outbox.messages, bytes=outbox.bytes)
        log.info("an outbox is taken over", extra=about)
        return outbox

    def _say(self, path: Path, error: str) -> None:
        if path not in self._said:
            self._said.add(path)
            log.error("an outbox cannot be taken over", extra=fields(error=error))
