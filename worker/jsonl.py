"""The sink that writes messages as JSON lines."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from pathlib import Path

from traptor.common.logs import fields
from traptor.worker.linefile import LineFile
from traptor.worker.lines import Lines
from traptor.worker.linestdout import LineStdout
from traptor.worker.outgoing import Outgoing, SinkCounts, SinkStopped

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.001
_SAY_INTERVAL_S = 60.0


def jsonl_files(folder: Path, connection: str, other_messages: str) -> JsonlSink:
    """Lines in `<connection>.jsonl`; other messages there too, in `<connection>.NAME.jsonl`, or nowhere."""
    tweets = LineFile(folder / f"{connection}.jsonl")
    if other_messages in ("topic", "drop"):
        return JsonlSink(tweets, tweets if other_messages == "topic" else None)
    return JsonlSink(tweets, LineFile(folder / f"{connection}.{other_messages}.jsonl"))


def jsonl_stdout(other_messages: str) -> JsonlSink:
    """Lines on stdout; other messages there too, or nowhere."""
    stdout = LineStdout()
    return JsonlSink(stdout, None if other_messages == "drop" else stdout)


class JsonlSink:
    """Writes each message as a line. Where there is no room it waits: what was read is not dropped."""

    def __init__(self, tweets: Lines, others: Lines | None) -> None:
        self.counts = SinkCounts()
        self.waiting_since: float | None = None
        self._tweets = tweets
        self._others = others  # None: dropped
        self._in_hand: deque[tuple[Lines, bytes]] = deque()
        self._stopped = threading.Event()
        self._say_next = 0.0
        self._is_said = False

    def open(self) -> None:
        """Open the outputs. Raises SinkError."""
        for lines in self._outputs():
            lines.open()

    def send(self, message: Outgoing) -> None:
        """Write a message, waiting for room. Raises SinkStopped; the message is then left to `drain`."""
        lines = self._others if message.tweet_id is None else self._tweets
        if lines is None:
            return
        self.counts.accepted += 1
        self._in_hand.append((lines, message.body + b"\n"))
        if not self._write_in_hand() and not self._wait_for_room(None):
            raise SinkStopped(f"the wait for room in {lines} was ended")

    def stop_waiting(self) -> None:
        """End a wait of `send` now and for good."""
        self._stopped.set()

    def drain(self, deadline: float) -> int:
        """Write what is in hand until `deadline` (monotonic); how many messages failed for want of time."""
        if self._in_hand and not self._write_in_hand():
            self._wait_for_room(deadline)
        left = len(self._in_hand)
        if left:
            self.counts.failed += left
            log.error("messages are not delivered", extra=fields(count=left, output=self._in_hand[0][0]))
            self._in_hand.clear()
        return left

    def close(self) -> None:
        """Close the outputs."""
        for lines in self._outputs():
            lines.close()

    def _outputs(self) -> set[Lines]:
        return {self._tweets} | ({self._others} if self._others is not None else set())

    def _wait_for_room(self, deadline: float | None) -> bool:
        """Try until all is written; False when the deadline, or without one `stop_waiting`, ends it."""
        self.waiting_since = since = time.monotonic()
        # After stop_waiting its event is set; a drain's pauses need one that is not.
        ended = self._stopped if deadline is None else threading.Event()
        pause_s = _FIRST_PAUSE_S
        try:
            while not ended.wait(_until(deadline, pause_s)):
                if self._write_in_hand():
                    self._say_that_it_works(since)
                    return True
                if deadline is not None and time.monotonic() >= deadline:
                    return False
                pause_s = min(pause_s * 2, self._in_hand[0][0].longest_pause_s)
            return False
        finally:
            self.waiting_since = None

    def _write_in_hand(self) -> bool:
        while self._in_hand:
            lines, line = self._in_hand[0]
            try:
                if not lines.write(line):
                    return False
            except OSError as error:
                self._say(lines, error)
                return False
            self._in_hand.popleft()
            self.counts.delivered += 1
        return True

    def _say(self, lines: Lines, error: OSError) -> None:
        now = time.monotonic()
        if now >= self._say_next:
            self._say_next = now + _SAY_INTERVAL_S
            self._is_said = True
            log.error("waiting for the output", extra=fields(output=lines, error=error.strerror))

    def _say_that_it_works(self, since: float) -> None:
        if self._is_said:
            self._is_said = False
            log.warning("the output works again", extra=fields(waited_s=round(time.monotonic() - since, 3)))


def _until(deadline: float | None, pause_s: float) -> float:
    return pause_s if deadline is None else max(0.0, min(pause_s, deadline - time.monotonic()))
