"""The place of the control socket."""

from __future__ import annotations

import os
from pathlib import Path

from traptor.common.errors import ConfigError, Problem

SOCKET_NAME = "control.sock"
_MAX_PATH_BYTES = 107  # unix(7): 108 with the terminating null byte


def socket_path(run_dir: Path) -> Path:
    """Return the path of the control socket. Raises ConfigError when it is too long for a unix socket."""
    path = run_dir / SOCKET_NAME
    length = len(os.fsencode(path))
    if length > _MAX_PATH_BYTES:
        what = f"the path of its control socket, {path}, has {length} bytes, and a socket's may have"
        raise ConfigError(
            [Problem("[supervisor] run_dir", f"{what} {_MAX_PATH_BYTES}; name a folder with a shorter path")]
        )
    return path
