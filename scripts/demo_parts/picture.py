"""What there is to see at one moment, whoever shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trial.view import View

from demo_parts.samples import Sample


@dataclass(frozen=True, slots=True)
class Picture:
    """The running demo."""

    doing: str
    elapsed_s: float
    seconds: float | None  # how long it collects; None: until Ctrl-C
    follow_rules: int
    track_rules: int
    rate: float
    output: str
    view: View
    first_pids: dict[str, int]  # of each connection, when all streamed first
    samples: Sequence[Sample]

    def is_new(self, connection: str, pid: int | None) -> bool:
        """Whether another worker serves the connection than at first."""
        return pid is not None and self.first_pids.get(connection, pid) != pid

    def clock(self) -> str:
        """How long it has collected, and how long it will."""
        if self.seconds is None:
            return f"{_clock(self.elapsed_s)} until Ctrl-C"
        return f"{_clock(min(self.elapsed_s, self.seconds))} of {_clock(self.seconds)}"


class Show(Protocol):
    """Shows the demo to people."""

    def update(self, picture: Picture) -> None:
        """Show this instead of what was shown."""

    def say(self, text: str) -> None:
        """Show that something happened."""

    def close(self) -> None:
        """Leave the last picture; what follows is printed below it."""


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
