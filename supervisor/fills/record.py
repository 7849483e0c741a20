"""Keep what becomes of fills in the ledger, and say in the log what ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from traptor.common.logs.event import fields
from traptor.supervisor.gaps.fill import Fill, FillState
from traptor.supervisor.gaps.interval import iso
from traptor.supervisor.ledger.fills import FillBook

log = logging.getLogger(__name__)


class FillRecord:
    """Changes the book; `wrote` has the ledger written soon."""

    def __init__(self, book: FillBook, wrote: Callable[[], object]) -> None:
        self.book = book
        self._wrote = wrote

    def put(self, fill: Fill) -> None:
        """Replace a fill by what it became."""
        self.book.put(fill)
        self._wrote()
        if fill.is_open:
            return
        said = about(fill, why=fill.why or None, posts=fill.posts, dollars=round(fill.dollars, 4))
        if fill.state is FillState.DONE:
            log.info("a gap is filled", extra=said)
        else:
            log.warning("a gap could not be filled", extra=said)

    def begin(self, fill: Fill, plan: bytes) -> None:
        """Keep what a fill that begins asks for."""
        self.book.plan(fill, plan)
        self._wrote()

    def halve(self, fill: Fill) -> None:
        """Have the two halves of a stretch filled each by itself."""
        self.book.halve(fill)
        self._wrote()

    def now(self, fill: Fill) -> Fill:
        """Return what a fill has become meanwhile."""
        return self.book.named(fill.id) or fill


def about(fill: Fill, **more: Any) -> Any:
    """Return the members of a log line about a fill."""
    stretch = {"since": iso(fill.from_unix), "until": iso(fill.to_unix)}
    return fields(connection=fill.connection, method=fill.method, **stretch, **more)
