"""Threads and descriptors that this process has now and did not have before."""

from __future__ import annotations

from pathlib import Path

from trial.ports import claimed

from support.waiting import wait_for

_SELF = Path("/proc/self")


class Leftovers:
    """What this process holds beyond what it held when this was made.

    An equal count is no test of it: what an earlier test of the same process left may still be ending.
    """

    def __init__(self) -> None:
        self._before = _threads() | _descriptors()

    @property
    def now(self) -> set[str]:
        """The threads and descriptors that are new."""
        return (_threads() | _descriptors()) - self._before

    def wait_gone(self) -> None:
        """Wait until nothing new is left; a thread that was joined, too, is listed for a moment yet."""
        try:
            wait_for(lambda: not self.now, "the end of all that is new")
        except AssertionError as late:
            raise AssertionError(f"{late}: {sorted(self.now)}") from None


def _threads() -> set[str]:
    """The threads of all libraries, also of those that Python does not know of."""
    return {f"thread {task.name}" for task in (_SELF / "task").iterdir()}


def _descriptors() -> set[str]:
    """Numbers with what they stand for: a number alone may be given anew. Claims of ports stay on purpose."""
    found = set()
    for link in (_SELF / "fd").iterdir():
        if int(link.name) in claimed():
            continue
        try:
            found.add(f"descriptor {link.name}: {link.readlink()}")
        except FileNotFoundError:  # the one of this listing, or of another thread
            continue
    return found
