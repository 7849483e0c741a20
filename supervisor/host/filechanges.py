"""Notice that the content of a configuration file changed, however it was changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from traptor.common.logs.event import fields
from traptor.supervisor.host.filewatch import FileWatch, contents

log = logging.getLogger(__name__)

# Editors write in several steps; the content that stays this long is final.
_SETTLE_S = 0.2


class FileChanges:
    """Calls `on_change` on the event loop when a watched file's content differs from that at `watch`."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._files = FileWatch(self._on_event)
        self._contents: dict[Path, str] = {}
        self._settling: asyncio.TimerHandle | None = None
        self._is_blind = False  # changes are not notified

    def watch(self, paths: Iterable[Path]) -> None:
        """Watch these files from now on; the known content of files watched already is kept.

        Thus a change between a comparison and the read that it triggers is not missed.
        """
        found = contents(paths)
        self._contents = {path: self._contents.get(path, content) for path, content in found.items()}
        self._watch()

    def _watch(self) -> None:
        try:
            self._files.watch(self._contents)
        except OSError as error:
            if not self._is_blind:
                log.warning(
                    "files cannot be watched, they are compared every 5 s",
                    extra=fields(error=str(error), advice="raise fs.inotify.max_user_instances"),
                )
            self._is_blind = True
        else:
            if self._is_blind:
                log.info("files are watched again")
            self._is_blind = False

    def note(self) -> None:
        """Record the present contents as known; call this before reading them for another reason."""
        self._contents = contents(self._contents)

    def compare(self) -> None:
        """Compare the contents now. Call this periodically too: not every change causes an event."""
        self._settling = None
        if self._is_blind:
            self._watch()
        found = contents(self._contents)
        if found != self._contents:
            self._contents = found
            self._on_change()

    def close(self) -> None:
        """Stop watching."""
        self._files.stop()
        if self._settling is not None:
            self._settling.cancel()

    def _on_event(self) -> None:  # runs in the watching thread
        try:
            self._loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            pass  # the loop was closed meanwhile

    def _settle(self) -> None:
        if self._settling is None:
            self._settling = self._loop.call_later(_SETTLE_S, self.compare)
