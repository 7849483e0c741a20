"""Observe quickly, from outside, what a collection writes."""

from __future__ import annotations

import time
from pathlib import Path

_POLL_S = 0.0002
_DEADLINE_S = 30.0


class Gain:
    """What a file gains in lines; each is read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0

    def lines(self) -> list[str]:
        """Return the whole lines since the last call; none while there is no file."""
        if not self._path.exists() or self._path.stat().st_size <= self._read_bytes:
            return []
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + len(end)
        return whole.decode().splitlines()


class Tail:
    """The text written to a file from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._from = path.stat().st_size if path.exists() else 0

    def wait_for(self, text: str = "\n") -> float:
        """Return the monotonic time at which `text` appeared. Raises TimeoutError."""
        deadline = time.monotonic() + _DEADLINE_S
        wanted, seen = text.encode(), b""
        while time.monotonic() < deadline:
            if self._path.exists() and self._path.stat().st_size > self._from:
                with self._path.open("rb") as file:
                    file.seek(self._from)
                    new = file.read()
                seen = seen[-len(wanted) :] + new
                self._from += len(new)
                if wanted in seen:
                    return time.monotonic()
            time.sleep(_POLL_S)
        raise TimeoutError(f"{text!r} is not in {self._path} after {_DEADLINE_S:g} s")
