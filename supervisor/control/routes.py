"""All endpoints of the API, put together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from traptor.supervisor.control.history import History
from traptor.supervisor.control.live import Events, Places
from traptor.supervisor.control.views import Views
from traptor.supervisor.ledger.answer import View


class Api:
    """The endpoints of one supervisor, and what they hold."""

    def __init__(self, status: Callable[[], dict[str, Any]], view: Callable[[], View], ledger: Path) -> None:
        """Take what returns the status as of now and the ledger in memory, and the ledger's file."""
        places = Places()
        self._history = History(view, ledger)
        self._rooms = (Views(status), self._history, Events(status, places))

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [route for room in self._rooms for route in room.routes()]

    def close(self) -> None:
        """Stop answering."""
        self._history.close()
