"""The opening of one connection: from the server's name to the end of the response's headers."""

from __future__ import annotations

import http.client
import io
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import requests
import socks  # type: ignore[import-untyped]  # PySocks, which requests uses, has no types
import urllib3

from traptor.worker.stream.arrivals import Wire
from traptor.worker.stream.body import READ_BYTES, Body
from traptor.worker.stream.coding import coding_of
from traptor.worker.stream.framing import framing_of

_TCP = socket.SOCK_STREAM
_SOCKS_PORT = 1080


class Opening:
    """Ends a connect that takes longer than `within_s` in all, however its bytes trickle.

    Timeouts of sockets apply to each read and each address. This one covers name, connection, proxy, TLS,
    request, status and headers together: at its end the connection is shut down, and whatever waits for it
    fails.
    """

    def __init__(self, within_s: float) -> None:
        self.answer: _Answer | None = None
        self._within_s = within_s
        self._deadline = time.monotonic() + within_s
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._is_over = False
        self._timer = threading.Timer(within_s, self._cut)
        self._timer.daemon = True

    @property
    def overdue(self) -> str:
        """The error text of a connect that was ended here; empty: none was."""
        return f"no answer within {self._within_s:g} s" if self._is_over else ""

    def begin(self) -> None:
        """Start the time limit. Raises OSError when there is no thread for it."""
        try:
            self._timer.start()
        except RuntimeError as error:
            raise OSError(f"the connect cannot be watched: {error}") from error

    def end(self) -> None:
        """End the time limit: the headers arrived, or no connection was made."""
        self._timer.cancel()
        with self._lock:
            watched, self._watched = self._watched, []
        for sock in watched:
            sock.close()

    def share_s(self, addresses: int) -> float:
        """Return the time for each of `addresses`, so that the last one has its turn."""
        return max(0.001, (self._deadline - time.monotonic()) / max(1, addresses))

    def watch(self, wire: Wire) -> None:
        """Shut this connection down at the deadline. Raises TimeoutError after it."""
        with self._lock:
            if self._is_over:
                raise TimeoutError(self.overdue)
            # A descriptor of our own: TLS takes the socket over.
            self._watched.append(socket.socket(fileno=os.dup(wire.fileno())))

    def body(self, response: urllib3.BaseHTTPResponse) -> Body:
        """Return the body of the response."""
        assert self.answer is not None
        framing = framing_of(self.answer.length, is_chunked=response.chunked)
        coding = coding_of(response.headers.get("content-encoding", ""), READ_BYTES)
        return Body(self.answer.wire, self.answer.buffered(), framing, coding)

    def _cut(self) -> None:
        with self._lock:
            self._is_over = True
            for sock in self._watched:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


class OpeningAdapter(requests.adapters.HTTPAdapter):
    """Connects by `opening`, from one address of this host if one is given."""

    def __init__(self, opening: Opening, source_address: str | None) -> None:
        self._opening = opening
        self._source = (source_address, 0) if source_address else None
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Do as requests does, with the source address."""
        super().init_poolmanager(*args, source_address=self._source, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Do as requests does, with the source address."""
        return super().proxy_manager_for(proxy, source_address=self._source, **kwargs)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Do as requests does; its connections are watched, whatever their kind."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        kind = pool.ConnectionCls
        pool.ConnectionCls = type(kind.__name__, (_Watched, kind), {"opening": self._opening})
        return pool


class _Watched:
    """The addition to each class of connections."""

    opening: Opening
    host: str
    port: int
    timeout: float
    source_address: tuple[str, int] | None
    _socks_options: dict[str, Any]  # only of SOCKS connections

    def response_class(self, sock: Any, **kwargs: Any) -> _Answer:
        """Create the response; a proxy's comes first, and the last one counts."""
        self.opening.answer = _Answer(sock, **kwargs)
        return self.opening.answer

    def _new_conn(self) -> socket.socket:
        sock = self._by_socks() if hasattr(self, "_socks_options") else self._directly()
        sock.settimeout(self.opening.share_s(1))  # for the proxy and TLS
        return sock

    def _directly(self) -> socket.socket:
        try:
            addresses = len(socket.getaddrinfo(self.host, None, type=_TCP))
        except (OSError, UnicodeError):
            addresses = 1  # the connect will raise the error
        self.timeout = self.opening.share_s(addresses)
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]  # the class that this is added to
        try:
            self.opening.watch(sock)
        except OSError:
            sock.close()
            raise
        return sock

    def _by_socks(self) -> socket.socket:
        """Connect as urllib3 does, but watched from the first byte to the proxy. Raises OSError."""
        options = self._socks_options
        host, port = options["proxy_host"].strip("[]"), int(options["proxy_port"] or _SOCKS_PORT)
        found = socket.getaddrinfo(host, port, type=_TCP)
        for index, (family, kind, protocol, _, _) in enumerate(found, 1):
            sock = socks.socksocket(family, kind, protocol)
            try:
                self.opening.watch(sock)
                sock.settimeout(self.opening.share_s(1 + len(found) - index))
                login = options["username"], options["password"]
                sock.set_proxy(options["socks_version"], host, port, options["rdns"], *login)
                if self.source_address:
                    sock.bind(self.source_address)
                sock.connect((self.host, self.port))
            except OSError:
                sock.close()
                if index == len(found):
                    raise
            else:
                return sock  # type: ignore[no-any-return]  # PySocks has no types
        raise OSError("the proxy has no address")


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
