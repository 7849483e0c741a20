"""A register of seen posts that stands in memory only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from traptor.worker.seen.log import WordLog
from traptor.worker.seen.memory import Memory
from traptor.worker.seen.register import Register


class Unwritten(WordLog):
    """Words that go nowhere."""

    def open(self, wait_s: float) -> list[Sequence[int]]:
        return []

    def lock(self, wait_s: float) -> bool:
        return True

    def unlock(self) -> None:
        """Nothing is locked."""

    def news(self) -> Sequence[int]:
        return ()

    def signature(self) -> str:
        return ""

    def append(self, words: Sequence[int]) -> None:
        """Nothing is written."""


def register_in_memory() -> Register:
    """A register of one worker that stands alone."""
    return Register(Unwritten(Path()), Memory(), lambda _who: (), signs_as=None)
