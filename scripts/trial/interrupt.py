"""Ctrl-C and TERM: a trial ends in order, at the second one at once; its children hear neither."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SLICE_S = 0.25


class Interrupt:
    """Whether somebody asked to end; to be used by the main thread."""

    def __init__(self) -> None:
        self.asked = False
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def wait_until(self, fact: Callable[[], object], within_s: float) -> bool:
        """Wait for a fact; False when the time is over or somebody asked to end."""
        return self.sit_out(lambda: self.asked or fact(), within_s) and not self.asked

    def sit_out(self, fact: Callable[[], object], within_s: float) -> bool:
        """Wait for a fact of the orderly end; False when the time is over."""
        ends = time.monotonic() + within_s
        while not fact():
            if time.monotonic() >= ends:
                return False
            time.sleep(_SLICE_S)
        return True

    def be_deaf(self) -> None:
        """Let the rest, which ends the children, not be interrupted."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def out_of_reach() -> Iterator[None]:
    """Start children in this block: the terminal sends Ctrl-C to all of them, and they inherit the mask.

    A Ctrl-C in the block is not lost; it counts at its end, when the child is known to whoever ends it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
