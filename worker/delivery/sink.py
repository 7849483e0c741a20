"""Where messages go: what every sink promises, and which one the option `output` means."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from traptor.common.birth import Birth
from traptor.common.errors import SinkError
from traptor.worker.delivery.message import Outgoing
from traptor.worker.delivery.tickets import Outcomes, Ticket
from traptor.worker.sinks.kafka.sink import KafkaSink
from traptor.worker.sinks.lines import LineSink, jsonl_files, jsonl_stdout

__all__ = ["Sink", "line_sink", "sink_of"]


class Sink(Protocol):
    """Delivers messages, and tells what becomes of each; used by one thread at a time."""

    def open(self, outcomes: Outcomes) -> None:
        """Reach the output, or begin to: it may be away. Raises SinkError, which says what to do."""

    def takes(self, message: Outgoing) -> bool:
        """Whether messages of this kind are delivered at all."""

    def deliver_at_once(self, message: Outgoing) -> bool:
        """Deliver a message for good right now; False where that cannot be: nothing has happened then."""

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        """Take a message; what becomes of it is told later. False when there is no room for it now."""

    def serve(self) -> None:
        """Tell what has become of messages. To be called again and again."""

    def sync(self) -> None:
        """Have what was delivered survive a power cut, as far as that is this host's business."""

    def stop_waiting(self) -> None:
        """End the wait of `open` now (any thread)."""

    def close(self) -> None:
        """Let go of the output; nothing is told any more of what it still has."""


def sink_of(birth: Birth) -> Sink:
    """The sink, not yet opened, of a generation. Raises SinkError as `line_sink` does."""
    settings = birth.settings
    if settings.kafka is not None:
        return KafkaSink(birth, settings.kafka)
    return line_sink(settings.output, settings.other_messages, birth.connection)


def line_sink(output: str, other_messages: str, connection: str) -> LineSink:
    """The sink of lines, not yet opened, that `output` and `other_messages` mean for a connection.

    Raises SinkError when `output` is not `jsonl:DIR` or `jsonl:-`.
    """
    kind, _, place = output.partition(":")
    if kind != "jsonl" or not place:
        raise SinkError(f"[traptor] output = {output}: not known; set it to jsonl:DIR or jsonl:-")
    if place == "-":
        return jsonl_stdout(other_messages)
    return jsonl_files(Path(place), connection, other_messages)
