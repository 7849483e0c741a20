"""The response to the request of a stream: what it says, and when its bytes came."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import requests

from traptor.worker.stream.body import Body
from traptor.worker.stream.failure import NETWORK_ERRORS

_BACK_OFF_HEADERS = (
    "date",
    "retry-after",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
)
_HEADER_CHARS = 100  # a date has 29; a longer value cannot be meant, and a part of it is another value
# Maximum time to wait for the text of a refusal.
_TEXT_S = 1.0
# Errors of fileno and its use, when the socket was closed meanwhile; http.client's response has none
# without a body.
_CLOSED = (ValueError, OSError, AttributeError)


@dataclass(frozen=True, slots=True)
class StreamReply:
    """A response, whose body one thread reads; any thread may look at it and shut it."""

    response: requests.Response
    body: Body

    @property
    def streams(self) -> bool:
        """True when it is a stream, not a refusal."""
        return bool(self.response.status_code == requests.codes.ok)

    @property
    def status(self) -> int:
        """The status code."""
        return self.response.status_code

    @property
    def last_byte_came_at(self) -> float:
        """The time at which the last byte so far arrived."""
        return self.body.last_came_at()[0]

    @property
    def end_came_at(self) -> float:
        """The time at which the end arrived: a stopped or slow reader sees it later."""
        return self.body.last_came_at()[1]

    def messages(self, stall_s: float) -> Iterator[list[bytes]]:
        """Yield the lines that came together, to the end of the body."""
        try:
            yield from self.body.messages(stall_s)
        finally:
            self.body.note_end()
        self.response.close()  # tells tweepy that it ended

    def start_of_text(self, most_bytes: int) -> bytes | None:
        """Return the beginning of a refusal's text; None when it could not be read."""
        try:
            return self.body.start(most_bytes, _TEXT_S)
        except NETWORK_ERRORS:
            return None

    def shut(self) -> None:
        """End the body, even while its reader waits; what has arrived can still be read.

        The socket is shut down for reading below TLS: buffered records can still be read, then comes the end.
        """
        self.body.shut()
        with suppress(*_CLOSED), socket.socket(fileno=os.dup(self.response.raw.fileno())) as sock:
            sock.shutdown(socket.SHUT_RD)


def back_off_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that say when a request may follow, names in lower case."""
    told = {name: headers.get(name, "") for name in _BACK_OFF_HEADERS}
    return {name: value for name, value in told.items() if 0 < len(value) <= _HEADER_CHARS}
