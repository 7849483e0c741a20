"""Repair what the process inherits from a shell, a unit or a container, before anything else runs."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Collection
from typing import TYPE_CHECKING

from traptor.common.errors import ConfigError, Problem

if TYPE_CHECKING:  # its import takes long, and the forker is made before it
    from traptor.common.config.settings import Settings

_STDOUT = 1
_STANDARD_STREAMS = (0, _STDOUT, 2)


def open_missing_streams() -> frozenset[int]:
    """Open stdin, stdout and stderr if they are closed, and return those that were.

    Otherwise the next opened file (a lock, an output) would get one of their numbers.
    """
    missing = frozenset(fd for fd in _STANDARD_STREAMS if not _is_open(fd))
    for fd in sorted(missing):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, fd, inheritable=True)
        if null != fd:
            os.close(null)
    return missing


def require_stdout(settings: Settings, missing: Collection[int]) -> None:
    """Raise ConfigError when the settings write to stdout but it was closed."""
    if _STDOUT not in missing:
        return
    asked = {
        "[traptor] output": settings.traptor.output == "jsonl:-",
        "[supervisor] log_dir": settings.supervisor.log_dir is None,
    }
    what = "is stdout, but stdout is closed: start the supervisor with an open stdout, or name a folder"
    if problems := [
        Problem(f"{settings.path} {option}", what) for option, is_asked in asked.items() if is_asked
    ]:
        raise ConfigError(problems)


def reset_signals() -> None:
    """Restore the default handling of every signal, including the notification of ended children.

    A parent may have blocked or ignored some: then the end of children would go unnoticed, and only KILL
    could end this process.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
