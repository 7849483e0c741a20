"""The opening of one connection: from the server's name to the end of the response's headers."""

from __future__ import annotations

import http.client
import io
from typing import Any

import urllib3

from traptor.common.http.adapter import LimitedAdapter, LimitedConnection
from traptor.common.http.timelimit import TimeLimit
from traptor.worker.stream.arrivals import Wire
from traptor.worker.stream.body import READ_BYTES, Body
from traptor.worker.stream.coding import coding_of
from traptor.worker.stream.framing import framing_of


class Opening(TimeLimit):
    """Ends a connect that takes too long in all: name, proxy, TLS, request, status and headers."""

    def __init__(self, within_s: float) -> None:
        super().__init__(within_s)
        self.answer: _Answer | None = None

    def body(self, response: urllib3.BaseHTTPResponse) -> Body:
        """Return the body of the response."""
        assert self.answer is not None
        framing = framing_of(self.answer.length, is_chunked=response.chunked)
        coding = coding_of(response.headers.get("content-encoding", ""), READ_BYTES)
        return Body(self.answer.wire, self.answer.buffered(), framing, coding)


class _Opened(LimitedConnection):
    """A connection of which the opening keeps the answer."""

    limit: Opening

    def response_class(self, sock: Any, **kwargs: Any) -> _Answer:
        """Create the response; a proxy's comes first, and the last one counts."""
        self.limit.answer = _Answer(sock, **kwargs)
        return self.limit.answer


class OpeningAdapter(LimitedAdapter):
    """Connects by an opening."""

    connection = _Opened

    def __init__(self, opening: Opening, source_address: str | None) -> None:
        super().__init__(opening, source_address)


class _Answer(http.client.HTTPResponse):
    """A response that knows its connection, to read past the buffer of the headers once they arrived."""

    def __init__(self, sock: Any, **kwargs: Any) -> None:
        super().__init__(sock, **kwargs)
        self.wire: Wire = sock
        assert isinstance(self.fp, io.BufferedReader)
        self._pausing = _Pausing(self.fp.detach())
        self.fp = io.BufferedReader(self._pausing)

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status line, past all interim responses (RFC 9110, 15.2); http.client skips only 100."""
        while True:
            line = super()._read_status()  # type: ignore[misc]  # not in typeshed
            version, status, reason = line
            if not 100 <= status < 200 or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)

    def buffered(self) -> bytes:
        """Return the part of the body that arrived with the headers; nothing more is read."""
        assert isinstance(self.fp, io.BufferedReader)
        self._pausing.is_paused = True
        return self.fp.peek()


class _Pausing(io.RawIOBase):
    """Reads a socket until it is paused; from then on it has nothing.

    Raises ConnectionError for an end within the headers, which http.client would take for their proper end.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self.is_paused = False
        self._has_begun = False
        self._raw = raw

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read as a socket does; return None when nothing has arrived."""
        if self.is_paused:
            return None
        count = self._raw.readinto(buffer)
        if not count and self._has_begun:
            raise ConnectionError("the connection ended within the answer's headers")
        self._has_begun = True
        return count

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._raw.fileno()

    def close(self) -> None:
        """Close the socket's side as well."""
        super().close()
        self._raw.close()
