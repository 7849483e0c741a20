"""Create the sink that the option `output` names."""

from __future__ import annotations

from pathlib import Path

from traptor.common.birth import Birth, WorkerSettings
from traptor.common.errors import SinkError
from traptor.worker.delivery.sink import Sink
from traptor.worker.sinks.kafka.config import most_message_bytes
from traptor.worker.sinks.kafka.sink import KafkaSink
from traptor.worker.sinks.lines import LineSink, jsonl_files, jsonl_stdout

MOST_BYTES = 1 << 24  # of a line: as much as a line of the stream may have


def sink_of(birth: Birth) -> Sink:
    """Return the sink of a generation, not yet opened. Raises SinkError like `line_sink`."""
    settings = birth.settings
    if settings.kafka is not None:
        return KafkaSink(birth, settings.kafka)
    return line_sink(settings.output, settings.other_messages, birth.stands_for)


def most_bytes(settings: WorkerSettings) -> int:
    """Return the largest message that the output accepts, as far as known before it is reached."""
    return MOST_BYTES if settings.kafka is None else most_message_bytes(settings.kafka)


def line_sink(output: str, other_messages: str, connection: str) -> LineSink:
    """Return the line sink, not yet opened, that `output` and `other_messages` name for a connection.

    Raises SinkError when `output` is not `jsonl:DIR` or `jsonl:-`.
    """
    kind, _, place = output.partition(":")
    if kind != "jsonl" or not place:
        raise SinkError(f"[traptor] output = {output}: not known; set it to jsonl:DIR or jsonl:-")
    if place == "-":
        return jsonl_stdout(other_messages)
    return jsonl_files(Path(place), connection, other_messages)
