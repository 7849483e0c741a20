"""Keep the stream that a session has now, how far it and the one before it were read, and how these ended."""

from __future__ import annotations

import logging

from traptor.common.logs.event import lifecycle
from traptor.common.messages import Disconnected, DisconnectKind
from traptor.worker.stream.http import HttpStream

log = logging.getLogger(__name__)

# What is on its way from the server, also within a busy host, was sent at most so long ago.
_ON_ITS_WAY_S = 0.1
# In an overlap the server's close is intended; otherwise the gap that it causes is the warning.
_MEANT = frozenset({DisconnectKind.OWN_CLOSE, DisconnectKind.SERVER_CLOSE})


class CurrentStream:
    """Hold one stream after the other; the main thread changes it, any thread may read or stop it."""

    def __init__(self) -> None:
        self._stream: HttpStream | None = None
        self._connected_at = 0.0
        self._last_byte_at = 0.0
        self._left_handled_until = 0.0  # of the last stream

    # ---- the main thread

    def begin(self, stream: HttpStream) -> None:
        """Have a stream, which is not open yet."""
        self._stream = stream

    def opened(self, now: float) -> None:
        """Note that the server answered 200."""
        self._connected_at = now

    def message_came(self, now: float) -> None:
        """Note that a message was read."""
        self._last_byte_at = now

    def leave(self) -> None:
        """Have no stream any more."""
        if self._stream is not None:
            self._left_handled_until, self._stream = self._stream.handled_until, None

    def ended(self, last_byte_at: float) -> None:
        """Note when the last byte came of the stream that was left."""
        self._last_byte_at = last_byte_at

    # ---- any thread

    @property
    def connected_at(self) -> float:
        """Return when the last stream that opened did so."""
        return self._connected_at

    @property
    def opened_at(self) -> float:
        """Return when the 200 of the present stream arrived."""
        stream = self._stream
        return stream.opened_at if stream is not None else self._connected_at

    @property
    def last_byte_at(self) -> float:
        """Return when the last byte came that was handled."""
        stream = self._stream
        return stream.last_byte_at if stream is not None else self._last_byte_at

    @property
    def headers(self) -> dict[str, str]:
        """Return the response's headers that say when a request may follow."""
        stream = self._stream
        return stream.headers if stream is not None else {}

    @property
    def is_uninterruptible(self) -> bool:
        """Return whether there is a stream but no answer yet: nothing can interrupt the wait for it."""
        stream = self._stream
        return stream is not None and not stream.is_open

    def handled_until(self) -> float:
        """Return the time up to which all that came has reached the pipeline, even if we die right now."""
        stream = self._stream
        if stream is None:
            return self._left_handled_until
        handled_until = stream.handled_until
        return min(handled_until, max(self._connected_at, handled_until - _ON_ITS_WAY_S))

    def stop(self, kind: DisconnectKind = DisconnectKind.OWN_CLOSE) -> None:
        """End the stream now, if there is one."""
        stream = self._stream
        if stream is not None:
            stream.stop(kind)


class Ends:
    """Warns of a failure once: while connects fail in the same way, the next ones are no news."""

    def __init__(self) -> None:
        self._failed: tuple[object, ...] = ()

    def tell(self, ended: Disconnected, key: str) -> None:
        """Log one end, with the name of the key."""
        about = lifecycle(
            key=key,
            kind=ended.kind,
            status=ended.status,
            problem=ended.problem or None,
            detail=ended.detail or None,
        )
        if ended.streamed:
            self._failed = ()
            log.log(logging.INFO if ended.kind in _MEANT else logging.WARNING, "stream ended", extra=about)
            return
        failed = (key, ended.kind, ended.status, ended.problem)
        is_known = failed == self._failed or ended.kind in _MEANT
        self._failed = failed
        log.log(logging.INFO if is_known else logging.WARNING, "connect failed", extra=about)
