"""Connect once to an endpoint that streams, and read to the last byte, on tweepy's BaseStream.

Tweepy's own waits and retries are never used: the master permits every connect (docs/architecture.md).
"""

from __future__ import annotations

import abc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import requests
import tweepy

from traptor.common import __version__
from traptor.common.birth import WorkerSettings
from traptor.common.messages import Connect, Disconnected, DisconnectKind
from traptor.common.rules.rule import Rule
from traptor.worker.stream.body import READ_BYTES
from traptor.worker.stream.failure import NETWORK_ERRORS, is_read_timeout, never_reached, short
from traptor.worker.stream.opening import Opening
from traptor.worker.stream.reply import StreamReply, back_off_headers
from traptor.worker.stream.request import OneRequestSession, Request
from traptor.worker.stream.stop import Stop


class HttpStream(tweepy.streaming.BaseStream, abc.ABC):  # type: ignore[misc]  # tweepy has no types
    """Opens one stream and passes lines that came together to `on_lines`; any thread may `stop` it.

    The streams of each API extend it: they make the request, and interpret a response other than 200.
    """

    def __init__(
        self,
        connect: Connect,
        settings: WorkerSettings,
        *,
        on_open: Callable[[], None],
        on_lines: Callable[[Sequence[bytes]], None],
        on_refused: Callable[[Disconnected], None] = lambda _refused: None,
    ) -> None:
        """Take the credentials; `on_refused` is called once for a response other than 200."""
        super().__init__(chunk_size=READ_BYTES, max_retries=0)
        self.user_agent = f"traptor/{__version__} tweepy/{tweepy.__version__}"
        self._handled_at = self._opened_at = time.monotonic()
        self.order = connect
        self.settings = settings
        self._on_open = on_open
        self._on_lines = on_lines
        self.on_refused = on_refused
        self._stop = Stop()
        self._opening = Opening(settings.connect_timeout_s)
        self._reply: StreamReply | None = None
        self._ending: Disconnected | None = None
        self._set_up_session(connect)

    def _set_up_session(self, connect: Connect) -> None:
        self.session = OneRequestSession(self._opening, connect.source_address)
        # The environment is that of whatever started the supervisor; it counts only when the operator says
        # so.
        self.session.trust_env = self.settings.proxy_of_environment and not connect.proxy
        self.session.hooks["response"].append(self._keep_response)
        if self.settings.stream_ca_file is not None:
            self.verify = str(self.settings.stream_ca_file)
        if connect.proxy:
            self.proxies = {"http": connect.proxy, "https": connect.proxy}

    @property
    def is_open(self) -> bool:
        """True once a response has arrived, so that `stop` can interrupt its reader."""
        return self._reply is not None

    @property
    def handled_until(self) -> float:
        """The last time when everything received was handled; 0: no stream yet (any thread)."""
        reply = self._reply
        return reply.body.handled_until if reply is not None and reply.streams else 0.0

    @property
    def opened_at(self) -> float:
        """The time at which the 200 arrived; before that, when this was made (any thread)."""
        return self._opened_at

    @property
    def last_byte_at(self) -> float:
        """The time of the last handled byte, or shortly after it (any thread)."""
        reply = self._reply
        if reply is None or not reply.streams:
            return self._handled_at
        return max(self._opened_at, min(self._handled_at, reply.last_byte_came_at))

    @property
    def headers(self) -> dict[str, str]:
        """The response's headers that say when a request may follow, names in lower case."""
        return back_off_headers(self._reply.response.headers) if self._reply is not None else {}

    # ---- for each API

    @abc.abstractmethod
    def request(self, rules: Sequence[Rule]) -> Request:
        """Return the request."""

    @abc.abstractmethod
    def refusal(self, ended: Disconnected) -> Disconnected:
        """Pass a response other than 200 to `on_refused`, and return it with its text."""

    def start_of_text(self, most_bytes: int) -> bytes | None:
        """Return the beginning of a refusal's text; None when it could not be read."""
        if self._reply is None or self._stop.kind is not None:
            return b""
        return self._reply.start_of_text(most_bytes)

    # ---- any thread

    def run(self, rules: Sequence[Rule]) -> Disconnected:
        """Stream until the server, the network or `stop` ends it, and return how it ended."""
        within_s = self.settings.connect_timeout_s
        request = self.request(rules)
        try:
            self._opening.begin()
            self._connect(
                request.method,
                self.settings.stream_url + request.path,
                auth=request.auth,
                params=request.params or None,
                body=request.form,
                timeout=(within_s, within_s),  # of each read; all of them together have as long
            )
        except OSError as error:  # our own error, before the request
            return self._ended(DisconnectKind.NETWORK, detail=short(error), reached=False)
        finally:
            self._opening.end()
        return self._ending or self._ended(DisconnectKind.SERVER_CLOSE)

    def stop(self, kind: DisconnectKind = DisconnectKind.OWN_CLOSE) -> None:
        """End the stream now, even while its read blocks; what has arrived is still handled (any thread).

        `kind` tells how it ends then.
        """
        self._stop.order(kind, time.monotonic())
        if self._reply is not None:
            self._reply.shut()

    # ---- called by tweepy

    def on_connect(self) -> None:
        """Report a 200, dated to when it arrived: a busy or stopped worker sees it later."""
        self._handled_at = self._opened_at = self._answered_at()
        if self._stop.kind is not None:
            self.running = False
            return
        self._on_open()

    def on_data(self, raw_data: Sequence[bytes]) -> None:
        """Pass lines on that came together; a blank one only keeps the stream alive."""
        self._handled_at = time.monotonic()
        if lines := [line for line in raw_data if line]:
            self._on_lines(lines)
        self._end_if_stopped()

    def on_closed(self, response: requests.Response) -> None:
        """Record that the body of the response ended."""
        self.running = False
        self._ending = self._ended(DisconnectKind.SERVER_CLOSE)

    def on_request_error(self, status_code: int) -> None:
        """Report a response other than 200."""
        self.running = False
        self._ending = self.refusal(self._ended(DisconnectKind.HTTP))

    def on_connection_error(self) -> None:
        """Record that the connection broke, was silent for too long, or was never made."""
        self.running = False
        error = sys.exception()
        is_stall = self._streamed and is_read_timeout(error)
        kind = DisconnectKind.STALL if is_stall else DisconnectKind.NETWORK
        detail = self._opening.overdue or short(error)
        self._ending = self._ended(kind, detail=detail, reached=not never_reached(error))

    def on_exception(self, exception: Exception) -> None:
        """Record what tweepy does not expect: a wrong URL, or an error of ours, which is raised again."""
        kind = DisconnectKind.NETWORK if isinstance(exception, NETWORK_ERRORS) else DisconnectKind.WORKER
        self._ending = self._ending or self._ended(kind, detail=short(exception))
        if self._ending.kind is DisconnectKind.WORKER:
            raise exception

    def on_disconnect(self) -> None:
        """Do nothing when tweepy's loop has ended; `run` returns how."""

    # ---- how it ended

    def _end_if_stopped(self) -> None:
        if self._stop.is_over(time.monotonic()):
            self.running = False

    @property
    def _streamed(self) -> bool:
        return self._reply is not None and self._reply.streams

    def _ended(self, kind: DisconnectKind, detail: str = "", *, reached: bool = True) -> Disconnected:
        kind = self._stop.kind or kind
        at = self._server_closed_at() if kind is DisconnectKind.SERVER_CLOSE else time.monotonic()
        return Disconnected(
            kind=kind,
            at=at,
            last_byte_at=self.last_byte_at,
            streamed=self._streamed,
            # The kernel tells the close to some milliseconds: nothing is safe for longer than it streamed.
            safe_until=min(self.handled_until, at) or None,
            reached=reached,
            status=self._reply.status if self._reply is not None else None,
            headers=self.headers,
            detail="" if self._stop.kind is not None else detail,
        )

    def _answered_at(self) -> float:
        """Return when the response arrived, or the first of its body if that is read with it."""
        return self._reply.last_byte_came_at if self._reply is not None else time.monotonic()

    def _server_closed_at(self) -> float:
        """Return when the end of the response arrived: a stopped or slow reader sees it later."""
        if self._reply is None:
            return time.monotonic()
        return max(self._opened_at, self._reply.end_came_at)

    def _keep_response(self, response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
        self._opening.end()
        self._reply = StreamReply(response, self._opening.body(response.raw))
        response.iter_lines = self._messages  # type: ignore[assignment]

    def _messages(self, chunk_size: int) -> Iterator[list[bytes]]:
        assert self._reply is not None
        return self._reply.messages(self.settings.stall_timeout_s)
