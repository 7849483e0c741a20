"""Where messages go: what every sink promises, and which one the option `output` means."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from traptor.common.birth import Birth
from traptor.common.errors import SinkError
from traptor.worker.jsonl import jsonl_files, jsonl_stdout
from traptor.worker.kafka import KafkaSink
from traptor.worker.outgoing import Outgoing, SinkCounts, SinkStopped

__all__ = ["Outgoing", "Sink", "SinkCounts", "SinkStopped", "open_sink", "sink_of"]


class Sink(Protocol):
    """Delivers messages in the order in which they come; used by one thread, but for what says otherwise."""

    @property
    def counts(self) -> SinkCounts:
        """The totals so far (any thread)."""

    @property
    def waiting_since(self) -> float | None:
        """Since when (monotonic) the output is waited for; None when it is not (any thread)."""

    def open(self) -> None:
        """Reach the output, waiting for it where it is away.

        Raises SinkError, which says what to do, and SinkStopped when `stop_waiting` ends the wait.
        """

    def send(self, message: Outgoing) -> None:
        """Take a message, after a wait for room where there is none.

        Raises SinkStopped when `stop_waiting` ends the wait; the message is taken nevertheless.
        """

    def stop_waiting(self) -> None:
        """End a wait of `open` or `send` now, and let them wait no more (any thread)."""

    def drain(self, deadline: float) -> int:
        """Deliver what is in hand until `deadline` (monotonic); how many messages failed for want of time."""

    def close(self) -> None:
        """Let go of the output."""


def sink_of(birth: Birth) -> Sink:
    """The sink, not yet opened, of a generation. Raises SinkError as `open_sink` does."""
    settings = birth.settings
    if settings.kafka is not None:
        return KafkaSink(birth, settings.kafka)
    return open_sink(settings.output, settings.other_messages, birth.connection)


def open_sink(output: str, other_messages: str, connection: str) -> Sink:
    """The sink of lines, not yet opened, that `output` and `other_messages` mean for a connection.

    Raises SinkError when `output` is not `jsonl:DIR` or `jsonl:-`.
    """
    kind, _, place = output.partition(":")
    if kind != "jsonl" or not place:
        raise SinkError(f"[traptor] output = {output}: not known; set it to jsonl:DIR or jsonl:-")
    if place == "-":
        return jsonl_stdout(other_messages)
    return jsonl_files(Path(place), connection, other_messages)
