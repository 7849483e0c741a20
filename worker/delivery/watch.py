"""Watch whether the output confirms what waits for it, and log when it stops and when it resumes."""

from __future__ import annotations

import logging

from traptor.common.logs.event import fields, lifecycle
from traptor.worker.delivery.patience import Front, Patience
from traptor.worker.delivery.sink import Sink

log = logging.getLogger(__name__)

_LOOK_S = 0.5


class OutputWatch:
    """Notifies the sink repeatedly while none of the oldest messages is confirmed."""

    def __init__(self, sink: Sink, timeout_s: float, name: str | None = None) -> None:
        self._which = {} if name is None else {"output": name}  # in the log: not the main output
        self.unconfirmed_since: float | None = None  # None: the output confirms (any thread)
        self._sink = sink
        self._patience = Patience(timeout_s)
        self._looked_at = 0.0

    def look(self, front: Front | None, backlog: int, now: float) -> None:
        """Check the oldest messages; `backlog` is how many wait in all."""
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        self._patience.look(front, now)
        since, before = self._patience.overdue_since(now), self.unconfirmed_since
        self.unconfirmed_since = since
        if since is None:
            if before is not None:
                about = lifecycle(after_s=_age(before, now), **self._which)
                log.info("the output confirms messages again", extra=about)
            return
        if before is None:
            about = fields(messages=backlog, for_s=_age(since, now), **self._which)
            log.error("the output confirms nothing", extra=about)
        self._sink.confirms_none(since)


def _age(since: float, now: float) -> float:
    return round(now - since, 1)
