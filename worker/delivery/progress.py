"""Log what waits in the outbox, so that an operator sees it grow and shrink."""

from __future__ import annotations

import logging

from traptor.common.logs.event import fields, lifecycle

log = logging.getLogger(__name__)

# Messages that have waited less than this are on their way.
_LATE_S = 2.0
_SAY_INTERVAL_S = 10.0


class Progress:
    """Logs once that messages wait, every ten seconds how many, and once that all are delivered.

    If they are more ten seconds later, that is logged as an error, once: the output takes nothing, or too
    little.
    """

    def __init__(self, name: str | None = None) -> None:
        self._which = {} if name is None else {"output": name}  # in the log: not the main output
        self._waiting_since: float | None = None
        self._said_at: float | None = None
        self._said_messages = 0
        self._growth_is_said = False

    def say(self, messages: int, size_bytes: int, now: float) -> None:
        """Record what waits at `now` (monotonic), and log what is due."""
        if not messages:
            self._end(now)
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since >= _LATE_S:
            self._go_on(messages, size_bytes, now)

    def _go_on(self, messages: int, size_bytes: int, now: float) -> None:
        if self._said_at is None:
            about = fields(messages=messages, bytes=size_bytes, **self._which)
            log.warning("messages wait in the outbox", extra=about)
        elif now - self._said_at < _SAY_INTERVAL_S:
            return
        else:
            per_s = round((self._said_messages - messages) / (now - self._said_at), 1)
            about = fields(messages=messages, bytes=size_bytes, fewer_per_s=per_s, **self._which)
            if messages > self._said_messages and not self._growth_is_said:
                self._growth_is_said = True
                log.error("the outbox grows", extra=about)
            else:
                log.info("messages still wait in the outbox", extra=about)
        self._said_at, self._said_messages = now, messages

    def _end(self, now: float) -> None:
        if self._said_at is not None and self._waiting_since is not None:
            waited_s = round(now - self._waiting_since, 1)
            about = lifecycle(waited_s=waited_s, **self._which)
            log.info("all that waited in the outbox is delivered", extra=about)
        self._waiting_since = self._said_at = None
        self._growth_is_said = False
