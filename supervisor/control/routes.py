"""All endpoints of the API, put together."""

from __future__ import annotations

from aiohttp import web

from traptor.supervisor.control.commands import Commands
from traptor.supervisor.control.explanations import Explanations
from traptor.supervisor.control.history import History
from traptor.supervisor.control.live import Events, Places
from traptor.supervisor.control.page.watchers import Page
from traptor.supervisor.control.passing import Passing
from traptor.supervisor.control.rules.rooms import RuleRooms
from traptor.supervisor.control.views import Views
from traptor.supervisor.orders.desk import Desk


class Api:
    """The endpoints of one supervisor, and what they hold."""

    def __init__(self, desk: Desk) -> None:
        places = Places()
        self._history = History(desk.view, desk.ledger)
        self._rooms = (
            Views(desk.status),
            self._history,
            Explanations(desk, self._history),
            Commands(desk),
            Events(desk.status, places),
            Passing(desk.sampling, places),
            Page(desk.status, desk.rates, self._history.intervals, places),
            RuleRooms(desk, places),
        )

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [route for room in self._rooms for route in room.routes()]

    def close(self) -> None:
        """Stop answering."""
        self._history.close()
