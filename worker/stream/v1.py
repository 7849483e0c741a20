"""One connect to `statuses/filter`, from the request to the last byte, on tweepy's BaseStream.

Tweepy's own waits and retries are never used: the master permits every connect (docs/architecture.md).
Facts about the endpoint: Twitter, "POST statuses/filter" and "Connecting to a streaming endpoint".
"""

from __future__ import annotations

import array
import fcntl
import http.client
import math
import os
import socket
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests
import tweepy
import urllib3

from traptor.common import __version__
from traptor.common.birth import WorkerSettings
from traptor.common.messages import Connect, Disconnected, DisconnectKind
from traptor.common.rules import Rule
from traptor.worker.stream.lines import LINE_ENDS, stream_lines

FILTER_PATH = "/1.1/statuses/filter.json"
# Large reads cost half of tweepy's default 512 bytes, and add no latency to a chunked answer.
CHUNK_BYTES = 65_536
BACK_OFF_HEADERS = ("date", "retry-after", "x-rate-limit-reset")
_DETAIL_CHARS = 200
# How long what has arrived before `stop` may be handled after it.
STOP_S = 0.5


class V1Stream(tweepy.streaming.BaseStream):  # type: ignore[misc]  # tweepy has no types
    """Opens one stream and hands each line to `on_line`; `stop` ends it from any thread."""

    def __init__(
        self,
        connect: Connect,
        settings: WorkerSettings,
        *,
        on_open: Callable[[], None],
        on_line: Callable[[bytes], None],
    ) -> None:
        super().__init__(chunk_size=CHUNK_BYTES, max_retries=0)
        self.user_agent = f"traptor/{__version__} tweepy/{tweepy.__version__}"
        self.last_byte_at = time.monotonic()
        self._settings = settings
        self._auth = tweepy.OAuth1UserHandler(
            connect.consumer_key, connect.consumer_secret, connect.access_token, connect.access_token_secret
        ).apply_auth()
        self._on_open = on_open
        self._on_line = on_line
        self._stopped: DisconnectKind | None = None
        self._stop_by = 0.0
        self._response: requests.Response | None = None
        self._ending: Disconnected | None = None
        self._is_behind = False  # more comes than can be handled before the end
        self._is_reading = False
        self._is_between_lines = True  # by the end of the last piece of the body
        self._caught_up_at = 0.0
        self._caught_up_at_stop = 0.0
        self._shut_at = math.inf  # by us: what comes later is not read
        self._set_up_session(connect)

    def _set_up_session(self, connect: Connect) -> None:
        self.session = _OneRequestSession()
        self.session.headers["Accept-Encoding"] = "gzip"
        self.session.hooks["response"].append(self._keep_response)
        if connect.source_address:
            for scheme in ("http://", "https://"):
                self.session.mount(scheme, _BoundAdapter(connect.source_address))
        if connect.proxy:
            self.proxies = {"http": connect.proxy, "https": connect.proxy}

    @property
    def is_open(self) -> bool:
        """Whether an answer came, so that `stop` can interrupt what reads it."""
        return self._response is not None

    @property
    def caught_up_at(self) -> float:
        """The last time when all that had come was handled; 0: there was no stream yet (any thread)."""
        now, response = time.monotonic(), self._response  # the time before the look
        if self._is_reading and response is not None and self._has_nothing_left(response):
            return min(now, self._shut_at)
        return min(max(self._caught_up_at, self._caught_up_at_stop), self._shut_at)

    def run(self, rules: Sequence[Rule]) -> Disconnected:
        """Stream until the server, the network or `stop` ends it, and say how it ended."""
        self._connect(
            "POST",
            self._settings.stream_url + FILTER_PATH,
            auth=self._auth,
            body=filter_form(rules),
            timeout=(self._settings.connect_timeout_s, self._settings.stall_timeout_s),
        )
        return self._ending or self._ended(DisconnectKind.SERVER_CLOSE)

    def stop(self, kind: DisconnectKind = DisconnectKind.OWN_CLOSE) -> None:
        """End the stream now, also while its read blocks; what has arrived is still handled (any thread).

        `kind` is how it ends then. The socket is shut for reading below TLS: buffered records can still be
        read, then comes the end.
        """
        self._stop_by = time.monotonic() + STOP_S
        self._stopped = self._stopped or kind
        response = self._response
        if response is None:
            return
        self._caught_up_at_stop = self.caught_up_at  # else a quiet stream's would be of its last line
        self._shut_at = min(self._shut_at, time.monotonic())
        try:
            with socket.socket(fileno=os.dup(response.raw.fileno())) as sock:
                sock.shutdown(socket.SHUT_RD)
        except _CLOSED:
            pass  # in the meantime

    # ---- what tweepy calls

    def on_connect(self) -> None:
        """A 200 came."""
        self.last_byte_at = self._caught_up_at = time.monotonic()
        if self._stopped:
            self.running = False
            return
        self._on_open()

    def on_data(self, raw_data: bytes) -> None:
        """A line came."""
        self.last_byte_at = time.monotonic()
        self._on_line(raw_data)
        self._end_if_stopped()

    def on_keep_alive(self) -> None:
        """A blank line came."""
        self.last_byte_at = time.monotonic()
        self._end_if_stopped()

    def on_closed(self, response: requests.Response) -> None:
        """The body of the answer ended."""
        self.running = False
        self._ending = self._ended(DisconnectKind.SERVER_CLOSE)

    def on_request_error(self, status_code: int) -> None:
        """Another answer than 200 came."""
        self.running = False
        self._ending = self._ended(DisconnectKind.HTTP, detail=self._body_start())

    def on_connection_error(self) -> None:
        """The connection broke, was silent for too long, or never came to be."""
        self.running = False
        error = sys.exception()
        is_stall = self._streamed and _is_read_timeout(error)
        kind = DisconnectKind.STALL if is_stall else DisconnectKind.NETWORK
        self._ending = self._ended(kind, detail=_short(error), reached=not _never_reached(error))

    def on_exception(self, exception: Exception) -> None:
        """Something that tweepy does not expect: a broken compression, a wrong URL, or an error of ours."""
        kind = DisconnectKind.NETWORK if isinstance(exception, _NETWORK_ERRORS) else DisconnectKind.WORKER
        self._ending = self._ending or self._ended(kind, detail=_short(exception))
        if self._ending.kind is DisconnectKind.WORKER:
            raise exception

    def on_disconnect(self) -> None:
        """Tweepy's loop has ended; `run` says how."""

    # ---- how it ended

    def _end_if_stopped(self) -> None:
        if self._stopped and time.monotonic() > self._stop_by:
            self.running = False
            self._is_behind = True

    @property
    def _streamed(self) -> bool:
        return self._response is not None and self._response.status_code == requests.codes.ok

    def _ended(self, kind: DisconnectKind, detail: str = "", *, reached: bool = True) -> Disconnected:
        response = self._response
        headers: Mapping[str, str] = response.headers if response is not None else {}
        if self._is_behind or not self._is_between_lines or _is_torn(sys.exception()):
            self._caught_up_at_stop = 0.0  # what had come in part by then was not handled
        return Disconnected(
            kind=self._stopped or kind,
            at=time.monotonic(),
            last_byte_at=self.last_byte_at,
            streamed=self._streamed,
            caught_up_at=self.caught_up_at or None,
            reached=reached,
            status=response.status_code if response is not None else None,
            headers={name: headers[name] for name in BACK_OFF_HEADERS if name in headers},
            detail="" if self._stopped else detail,
        )

    def _body_start(self) -> str:
        if self._response is None:
            return ""
        try:
            start: bytes = next(self._response.iter_content(1024), b"")
            return " ".join(start.decode(errors="replace").split())[:_DETAIL_CHARS]
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            return "(the answer's text could not be read)"

    def _keep_response(self, response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
        self._response = response
        response.iter_lines = self._lines  # type: ignore[assignment]

    def _lines(self, chunk_size: int) -> Iterator[bytes]:
        return stream_lines(self._pieces(chunk_size))

    def _pieces(self, chunk_size: int) -> Iterator[bytes]:
        """The answer's body, noting at each piece when all before it was handled and no more had come."""
        response = self._response
        assert response is not None
        pieces = response.iter_content(chunk_size)
        while (piece := self._next(pieces, response)) is not None:
            self._is_between_lines = piece.endswith(LINE_ENDS)
            yield piece

    def _next(self, pieces: Iterator[bytes], response: requests.Response) -> bytes | None:
        now = time.monotonic()
        if self._has_nothing_left(response):
            self._caught_up_at = now
        self._is_reading = True
        try:
            return next(pieces, None)
        except ValueError as error:  # of http.client, for a chunk of a negative size
            raise urllib3.exceptions.ProtocolError(f"the answer is no HTTP: {error}") from error
        finally:
            self._is_reading = False

    def _has_nothing_left(self, response: requests.Response) -> bool:
        """Whether no begun line is kept for the next piece, and no bytes have come that were not read yet."""
        return self._is_between_lines and not _has_unread(response)


def filter_form(rules: Sequence[Rule]) -> dict[str, str]:
    """The form of `statuses/filter` for these rules: each distinct value once, in their order."""
    values: dict[str, dict[str, None]] = {}
    for rule in rules:
        values.setdefault(rule.group.type.value, {}).update(dict.fromkeys(rule.values))
    form = {name: ",".join(distinct) for name, distinct in values.items()}
    return {**form, "stall_warnings": "true"}


class _OneRequestSession(requests.Session):
    """Refuses a second request: a permission is for one connect, whatever the loop above it does."""

    _used = False

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As requests has it, once."""
        if self._used:
            raise RuntimeError("a second connect without permission")
        self._used = True
        kwargs["allow_redirects"] = False  # another request, and another place for the credentials
        return super().request(*args, **kwargs)

    def resolve_redirects(self, *_args: Any, **_kwargs: Any) -> Iterator[Any]:
        """None: also to see where one would lead, requests reads a whole body, and stumbles over no URL."""
        return iter(())


class _BoundAdapter(requests.adapters.HTTPAdapter):
    """Connects from one address of this host."""

    def __init__(self, source_address: str) -> None:
        self._source = (source_address, 0)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As requests has it, with the source address."""
        super().init_poolmanager(*args, source_address=self._source, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """As requests has it, with the source address."""
        return super().proxy_manager_for(proxy, source_address=self._source, **kwargs)


# Of fileno and what it is used for; http.client's has no answer without a body.
_CLOSED = (ValueError, OSError, AttributeError)
_NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


def _never_reached(error: BaseException | None) -> bool:
    """Whether the server cannot know of this try: no connection, or none through the proxy, came to be."""
    reason = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    if isinstance(reason, urllib3.exceptions.MaxRetryError):
        reason = reason.reason
    return isinstance(error, requests.ConnectTimeout) or isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ProxyError
    )


def _has_unread(response: requests.Response) -> bool:
    """Whether bytes have come that were not read yet."""
    unread = array.array("i", [0])
    try:
        fcntl.ioctl(response.raw.fileno(), termios.FIONREAD, unread)
    except _CLOSED:
        return False  # nothing comes any more
    return unread[0] > 0


def _is_torn(error: BaseException | None) -> bool:
    """Whether the body ended within a chunk: requests' error has urllib3's in it, and that http.client's."""
    while isinstance(error, requests.RequestException | urllib3.exceptions.ProtocolError):
        error = next((one for one in error.args if isinstance(one, Exception)), None)
    return isinstance(error, http.client.IncompleteRead)


def _is_read_timeout(error: BaseException | None) -> bool:
    # requests wraps a silent body in ConnectionError(ReadTimeoutError), silent headers in ReadTimeout.
    return isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError) or (
        isinstance(error, requests.ConnectionError)
        and bool(error.args)
        and isinstance(error.args[0], urllib3.exceptions.ReadTimeoutError)
    )


def _short(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"[:_DETAIL_CHARS]
