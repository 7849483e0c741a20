"""Tell when a watched file may have changed: edited, replaced by a rename, or swapped by a symlink.

The folders are watched, not the files: editors and Kubernetes replace files, and a watch would stay with the
old one. Comparing contents tells what an event means.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver


def contents(paths: Iterable[Path]) -> dict[Path, str]:
    """Return a fingerprint of each file's content; empty text for a file that cannot be read."""
    return {path: _fingerprint(path) for path in paths}


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


class FileWatch(FileSystemEventHandler):
    """Calls `on_event` from a separate thread whenever something changes in a folder of the files."""

    def __init__(self, on_event: Callable[[], None]) -> None:
        self._on_event = on_event
        self._observer: BaseObserver | None = None
        self._folders: frozenset[Path] = frozenset()
        self._names: frozenset[str] = frozenset()

    def watch(self, paths: Iterable[Path]) -> None:
        """Watch these files from now on, and no others. Raises OSError when no watch is left."""
        spots = {spot for path in paths for spot in (path, path.resolve())}
        # A ConfigMap swaps the link `..data` beside the files.
        self._names = frozenset({spot.name for spot in spots} | {"..data"})
        folders = frozenset(spot.parent for spot in spots if spot.parent.is_dir())
        if folders == self._folders:
            return
        self.stop()
        if folders:
            self._observer = self._observing(folders)
        self._folders = folders

    def _observing(self, folders: Iterable[Path]) -> BaseObserver:
        observer = Observer()
        try:
            for folder in folders:
                observer.schedule(self, str(folder))
            observer.start()
        except (OSError, RuntimeError) as error:  # no inotify instance, watch or thread is left
            observer.unschedule_all()
            raise OSError(getattr(error, "errno", None) or errno.EAGAIN, str(error)) from error
        return observer

    def stop(self) -> None:
        """End the watching thread."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
            self._folders = frozenset()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Handle an event of watchdog; reads, and changes to other files there (our logs), are ignored."""
        names = {Path(str(place)).name for place in (event.src_path, event.dest_path) if place}
        if event.event_type not in ("opened", "closed_no_write") and names & self._names:
            self._on_event()
