"""The endpoints of the rule kit, with what only the supervisor knows: its limits, its keys, X's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from traptor.common.config.kinds.v2 import V2
from traptor.common.rules.normalise import read_rule
from traptor.common.rules.rule import Limits, Rule
from traptor.rulekit.figures.recent import recent_lines
from traptor.rulekit.keeping.losses import live_groups
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.figures import Figures
from traptor.rulekit.service.manager import Manager
from traptor.rulekit.service.questions import Questions
from traptor.rulekit.service.rules import RuleDesk
from traptor.rulekit.service.validation import Validation
from traptor.rulekit.validation.judge import Verdict
from traptor.supervisor.control.live import Places
from traptor.supervisor.control.rules.page import RulesPage
from traptor.supervisor.control.rules.tweets import RuleTweets
from traptor.supervisor.filters.composition import Allowance
from traptor.supervisor.filters.outlook import outlook, why_no_filter
from traptor.supervisor.orders.desk import Desk

_END_BYTES = 1 << 19  # of each file: some hundred tweets, a tenth of a second in all
_MOST_FILES = 4


class RuleRooms:
    """Validation, figures, changes, the tweets of a rule, the page, and the original's Manager API."""

    def __init__(self, desk: Desk, places: Places) -> None:
        self._settings = settings = desk.settings
        self._validation = Validation(self._limits, self._at_x, self._seen)
        self._figures = Figures(settings, Aside())
        self._rules = RuleDesk(
            settings, Aside(), lambda: live_groups(desk.status()["groups"]), desk.without_filter
        )
        self._tweets = RuleTweets(desk, places, Aside())
        self._manager = Manager(self._limits, Questions(settings, Aside()))

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        rooms = (
            self._validation,
            self._figures,
            self._rules,
            self._tweets,
            self._manager,
            RulesPage(),
        )
        return [route for room in rooms for route in room.routes()]

    def _at_x(self, verdict: Verdict) -> Mapping[str, Any]:
        """Return what the value becomes at X and, where v2 is in force, why X gets no filter for it."""
        settings = self._settings()
        allowance = Allowance(settings.twitter.rules_per_app, settings.twitter.rule_length)
        told = outlook(verdict.kind.rule_type, verdict.values, allowance)
        why = why_no_filter(told) if settings.traptor.api == V2 else None
        return {"v2": told} if why is None else {"v2": told, "no_filter": why}

    def _seen(self, verdicts: Sequence[Verdict]) -> tuple[int, Sequence[int]]:
        """Return how many recent tweets the output's files have, and how many each value matches."""
        from traptor.worker.entry import matching  # it takes a while, and few masters are asked

        rules = [_rule(number, verdict, self._limits()) for number, verdict in enumerate(verdicts)]
        matches, tweets, counts = matching(rules), 0, [0] * len(rules)
        for line in recent_lines(self._settings().traptor.output, _END_BYTES, _MOST_FILES):
            found = matches(line)
            if found is not None:
                tweets += 1
                for index in found:
                    counts[index] += 1
        return tweets, counts

    def _limits(self) -> Limits:
        twitter = self._settings().twitter
        return Limits(twitter.follow_limit, twitter.track_limit, twitter.locations_limit)


def _rule(number: int, verdict: Verdict, limits: Limits) -> Rule:
    """Return a rule with the value; whatever is valid can be one."""
    key = f"traptor-{verdict.kind.rule_type}:0:{number}"
    found = read_rule(key, verdict.fields, True, limits)
    assert isinstance(found, Rule)
    return found
