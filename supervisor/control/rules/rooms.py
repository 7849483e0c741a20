"""The endpoints of the rule kit, with what only the supervisor knows: its limits, its keys, X's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from traptor.common.config.settings import Settings
from traptor.common.rules.rule import Limits
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.figures import Figures
from traptor.rulekit.service.manager import Manager
from traptor.rulekit.service.questions import Questions
from traptor.rulekit.service.rules import RuleDesk
from traptor.rulekit.service.validation import Validation
from traptor.rulekit.validation.judge import Verdict
from traptor.supervisor.control.rules.page import RulesPage
from traptor.supervisor.filters.composition import Allowance
from traptor.supervisor.filters.outlook import outlook

_ALLOWANCE = Allowance(filters=1_000, length=1_024)  # of an app that pays per use


class RuleRooms:
    """Validation, figures, changes, and the original's Manager API; `settings` returns those in force."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._validation = Validation(self._limits, _at_x)
        self._figures = Figures(settings, Aside())
        self._rules = RuleDesk(settings, Aside())
        self._manager = Manager(self._limits, Questions(settings, Aside()))

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        rooms = (self._validation, self._figures, self._rules, self._manager, RulesPage())
        return [route for room in rooms for route in room.routes()]

    def _limits(self) -> Limits:
        twitter = self._settings().twitter
        return Limits(twitter.follow_limit, twitter.track_limit, twitter.locations_limit)


def _at_x(verdict: Verdict) -> Mapping[str, Any]:
    return {"v2": outlook(verdict.kind.rule_type, verdict.values, _ALLOWANCE)}
