"""Outputs that take whole lines, each tried until there is room."""

from __future__ import annotations

from typing import Protocol


class Lines(Protocol):
    """An output of lines that several processes write to at once."""

    is_all_or_nothing: bool
    """Whether a line that is not written whole is not written at all."""

    def open(self) -> None:
        """Reach the output. Raises SinkError."""

    def write(self, line: bytes) -> bool:
        """Write one line, its end included; False when there is no room now: call again with the same line.

        Raises OSError when something other than want of room stands in the way; it may go away, too.
        """

    def sync(self) -> None:
        """Have what was written survive a power cut; where that fails, the next call tries again."""

    def close(self) -> None:
        """Let go of the output."""
