"""Ctrl-C and TERM: a trial stops in order, at the second one at once; its children receive neither.

That holds for a whole process group too, as a terminal, a CI job or `kill -- -PGID` stops it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SLICE_S = 0.25


class Interrupt:
    """Records whether a stop was requested; for use by the main thread."""

    def __init__(self) -> None:
        self.asked = False
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def wait_until(self, fact: Callable[[], object], within_s: float) -> bool:
        """Wait for a fact; return False when the time is over or a stop was requested."""
        return self.sit_out(lambda: self.asked or fact(), within_s) and not self.asked

    def sit_out(self, fact: Callable[[], object], within_s: float) -> bool:
        """Wait for a fact of the orderly stop; return False when the time is over."""
        ends = time.monotonic() + within_s
        while not fact():
            if time.monotonic() >= ends:
                return False
            time.sleep(_SLICE_S)
        return True

    def be_deaf(self) -> None:
        """Ignore further interrupts while the children are ended."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def out_of_reach() -> AbstractContextManager[None]:
    """Start children in this block: the terminal sends Ctrl-C to all of them, and they inherit the mask.

    A Ctrl-C in the block is not lost; it takes effect at its end, when the child is known to its owner.
    """
    return _blocking({signal.SIGINT})


def out_of_any_reach() -> AbstractContextManager[None]:
    """Start in this block a child that only KILL is to end: what stops a whole group does not reach it."""
    return _blocking(set(_SIGNALS))


@contextmanager
def _blocking(signals: set[signal.Signals]) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
