"""A supervisor on a host that has no inotify instance left: `python noinotify.py -c INI`."""

from __future__ import annotations

import errno

from watchdog.observers.inotify import InotifyEmitter

from traptor.supervisor import cli


def start(_self: InotifyEmitter) -> None:
    raise OSError(errno.EMFILE, "inotify instance limit reached")


InotifyEmitter.start = start  # type: ignore[method-assign]
cli.main()
