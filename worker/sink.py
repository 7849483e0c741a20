"""Where messages go: what every sink promises, and which one the option `output` means."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from traptor.common.errors import SinkError


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One message to deliver: `body` is one JSON object without a line end."""

    body: bytes
    tweet_id: str | None
    """None: not a tweet."""
    rule_ids: tuple[str, ...]


class SinkCounts(msgspec.Struct):
    """Totals of one sink. What was accepted is either in hand, delivered or failed.

    Messages that `other_messages = drop` keeps out are not accepted.
    """

    accepted: int = 0
    delivered: int = 0  # written, or confirmed by whom it was sent to
    failed: int = 0  # given up


class SinkStopped(SinkError):  # noqa: N818  # it is no error of the sink's
    """A wait for room was ended by `stop_waiting`; the message is in hand, and `drain` tries again."""


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
    from traptor.worker.jsonl import jsonl_files, jsonl_stdout  # the sinks know this module

    kind, _, place = output.partition(":")
    if kind != "jsonl" or not place:
        raise SinkError(f"[traptor] output = {output}: not known; set it to jsonl:DIR or jsonl:-")
    if place == "-":
        return jsonl_stdout(other_messages)
    return jsonl_files(Path(place), connection, other_messages)
