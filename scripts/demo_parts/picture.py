"""The state to display at one moment, whatever displays it."""

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
    seconds: float | None  # the duration; None: until Ctrl-C
    follow_rules: int
    track_rules: int
    rate: float
    output: str
    view: View
    first_pids: dict[str, int]  # of each connection, when all first streamed
    samples: Sequence[Sample]
    expected: int  # connections
    page: str  # the address of the status page

    def is_new(self, connection: str, pid: int | None) -> bool:
        """Tell whether a different worker from the first serves the connection."""
        return pid is not None and self.first_pids.get(connection, pid) != pid

    def clock(self) -> str:
        """Return the elapsed and the planned time."""
        if self.seconds is None:
            return f"{_clock(self.elapsed_s)} until Ctrl-C"
        return f"{_clock(min(self.elapsed_s, self.seconds))} of {_clock(self.seconds)}"


class Show(Protocol):
    """Displays the demo to people."""

    def update(self, picture: Picture) -> None:
        """Display this state."""

    def say(self, text: str) -> None:
        """Display an event."""

    def close(self) -> None:
        """Leave the last state on the screen; what follows is printed below it."""


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
