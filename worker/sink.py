"""Where messages go: what every sink promises, and which one the option `output` means."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from traptor.common.errors import SinkError
from traptor.worker.jsonl import jsonl_files, jsonl_stdout
from traptor.worker.outgoing import Outgoing, SinkCounts, SinkStopped

__all__ = ["Outgoing", "Sink", "SinkCounts", "SinkStopped", "open_sink"]


class Sink(Protocol):
    """Delivers messages in the order in which they come; used by one thread, but for what says otherwise."""

    @property
    def counts(self) -> SinkCounts:
        """The totals so far (any thread)."""

    @property
    def waiting_since(self) -> float | None:
        """Since when (monotonic) `send` or `drain` waits for room; None when neither does (any thread)."""

    def open(self) -> None:
        """Reach the output. Raises SinkError, which says what to do."""

    def send(self, message: Outgoing) -> None:
        """Take a message, after a wait for room where there is none.

        Raises SinkStopped when `stop_waiting` ends the wait; the message is taken nevertheless.
        """

    def stop_waiting(self) -> None:
        """End a wait of `send` now, and let it wait no more (any thread)."""

    def drain(self, deadline: float) -> int:
        """Deliver what is in hand until `deadline` (monotonic); how many messages failed for want of time."""

    def close(self) -> None:
        """Let go of the output."""


def open_sink(output: str, other_messages: str, connection: str) -> Sink:
    """The sink, not yet opened, that `[traptor] output` and `other_messages` mean for a connection.

    Raises SinkError when `output` is not `jsonl:DIR` or `jsonl:-`.
    """
    kind, _, place = output.partition(":")
    if kind != "jsonl" or not place:
        raise SinkError(f"[traptor] output = {output}: not known; set it to jsonl:DIR or jsonl:-")
    if place == "-":
        return jsonl_stdout(other_messages)
    return jsonl_files(Path(place), connection, other_messages)
