"""Write messages as JSON lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from traptor.common.logs.event import fields, lifecycle
from traptor.common.logs.throttle import Tally
from traptor.worker.delivery.sink import Results, Ticket
from traptor.worker.outbox.message import Outgoing
from traptor.worker.sinks.linefile import LineFile
from traptor.worker.sinks.linestdout import LineStdout

log = logging.getLogger(__name__)


class LineOutput(Protocol):
    """Write to an output of lines that several processes write to at once."""

    is_all_or_nothing: bool
    """Whether lines that are not written whole are not written at all."""

    def open(self) -> None:
        """Open the output. Raises SinkError."""

    def write(self, lines: bytes) -> bool:
        """Write whole lines, with their ends; return False without room now: call again with these.

        Raises OSError for any other obstacle, which may be temporary too.
        """

    def last_lines(self) -> Sequence[bytes]:
        """Return the lines that stand last in the output, where it can be read; open or not."""

    def sync(self) -> None:
        """Flush what was written to disk, to survive a power cut; on failure, the next call tries again."""

    def close(self) -> None:
        """Close the output."""


def jsonl_files(folder: Path, connection: str, other_messages: str) -> LineSink:
    """Return a sink for `<connection>.jsonl`; others go there, to `<connection>.NAME.jsonl`, or nowhere."""
    tweets = LineFile(folder / f"{connection}.jsonl")
    if other_messages in ("topic", "drop"):
        return LineSink(tweets, tweets if other_messages == "topic" else None)
    return LineSink(tweets, LineFile(folder / f"{connection}.{other_messages}.jsonl"))


def jsonl_stdout(other_messages: str) -> LineSink:
    """Return a sink for stdout; other messages go there too, or nowhere."""
    stdout = LineStdout()
    return LineSink(stdout, None if other_messages == "drop" else stdout)


class LineSink:
    """Writes each message as a line."""

    def __init__(self, tweets: LineOutput, others: LineOutput | None) -> None:
        self._tweets = tweets
        self._others = others  # None: dropped
        self._in_hand: tuple[LineOutput, bytes, Ticket] | None = None  # the line being written
        self._tally = Tally()
        self._failing_since: float | None = None
        self.trouble = ""  # why the output cannot be written; empty: it can (any thread)
        self._is_said = False

    def open(self, results: Results) -> None:
        """Open the outputs. Raises SinkError."""
        self._results = results
        for lines in self._outputs():
            lines.open()

    def takes(self, message: Outgoing) -> bool:
        """Tell whether messages of this kind are written."""
        return self._lines(message) is not None

    def may_deliver_at_once(self, messages: Sequence[Outgoing]) -> bool:
        """Tell whether all go to one output that takes them whole or not at all, and no line is in hand."""
        lines = self._lines(messages[0])
        if self._in_hand is not None or lines is None or not lines.is_all_or_nothing:
            return False
        return self._tweets is self._others or all(self._lines(one) is lines for one in messages)

    def deliver_at_once(self, messages: Sequence[Outgoing]) -> bool:
        """Write whole lines now; return False if there is no room."""
        lines = self._lines(messages[0])
        assert lines is not None
        return self._write(lines, b"\n".join([*[message.body for message in messages], b""]))

    def send(self, message: Outgoing, ticket: Ticket) -> bool:
        """Begin to write a line; return False while the previous one is not written."""
        lines = self._lines(message)
        if self._in_hand is not None and not self._finish():
            return False
        if lines is None:  # dropped by the present options; not so when it was read
            self._results.delivered(ticket)
            return True
        self._in_hand = (lines, message.body + b"\n", ticket)
        self._finish()
        return True

    def last_written(self) -> Sequence[bytes]:
        """Return the lines that stand last in the output of tweets."""
        return self._tweets.last_lines()

    def serve(self) -> None:
        """Continue with the line being written."""
        if self._in_hand is not None:
            self._finish()

    def confirms_none(self, since: float) -> None:
        """Do nothing: `serve` continues an unfinished line, and nothing else can help."""

    def sync(self) -> None:
        """Flush all lines to disk, so that they survive a power cut."""
        for lines in self._outputs():
            lines.sync()

    def stop_waiting(self) -> None:
        """Do nothing: nothing here waits."""

    def close(self) -> None:
        """Close the outputs."""
        for lines in self._outputs():
            lines.close()

    # ---- steps

    def _lines(self, message: Outgoing) -> LineOutput | None:
        return self._others if message.tweet_id is None else self._tweets

    def _outputs(self) -> set[LineOutput]:
        return {self._tweets} | ({self._others} if self._others is not None else set())

    def _finish(self) -> bool:
        assert self._in_hand is not None
        lines, line, ticket = self._in_hand
        if not self._write(lines, line):
            return False
        self._in_hand = None
        self._results.delivered(ticket)
        return True

    def _write(self, lines: LineOutput, text: bytes) -> bool:
        try:
            if lines.write(text):
                self._say_that_it_works()
                return True
        except OSError as error:
            self._say(lines, error)
        return False

    def _say(self, lines: LineOutput, error: OSError) -> None:
        self._failing_since = self._failing_since or time.monotonic()
        self.trouble = f"{lines}: {error.strerror}"
        if self._tally.add("waiting"):
            self._is_said = True
            log.error("waiting for the output", extra=fields(output=lines, error=error.strerror))

    def _say_that_it_works(self) -> None:
        if self._failing_since is None:
            return
        if self._is_said:
            waited_s = round(time.monotonic() - self._failing_since, 3)
            log.info("the output works again", extra=lifecycle(waited_s=waited_s))
        self._failing_since, self._is_said, self.trouble = None, False, ""
