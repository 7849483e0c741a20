"""Answer where a connection or a rule is, since when, and what it missed in the last day."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from traptor.supervisor.control.history import History
from traptor.supervisor.control.refusals import Refused
from traptor.supervisor.control.views import answer
from traptor.supervisor.ledger.answers.answer import UnknownError
from traptor.supervisor.ledger.answers.question import Question
from traptor.supervisor.orders.desk import Desk
from traptor.supervisor.problems.problem import Subject

Json = dict[str, Any]

_MOST_GAPS = 1000
_MOST_RULES = 20  # of one name: rule managers of several groups may use the same ids


class Explanations:
    """The endpoint that explains one thing."""

    def __init__(self, desk: Desk, history: History) -> None:
        self._desk = desk
        self._history = history

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.get("/api/explain", self._explain)]

    async def _explain(self, request: web.Request) -> web.StreamResponse:
        """Answer `?of=track:0`, a connection or a group, or `?rule=17`."""
        match list(request.query.items()):
            case [("of", connection)] if connection:
                return answer(await self._connection(connection))
            case [("rule", rule)] if rule:
                return answer(await self._rule(rule))
        raise Refused(400, "ask for one thing: ?of=CONNECTION, such as track:0, or ?rule=ID")

    async def _connection(self, name: str) -> Json:
        status = self._desk.status()
        shown = next((c for c in status["connections"] if c["connection"] == name), None)
        if shown is None and (carriers := _carriers(status, name)):
            told = await self._connection(carriers[0])
            group = next((one for one in status["groups"] if one["group"] == name), None)
            return {**told, "group": group, "carriers": carriers}
        gaps = await self._gaps(_of_last_day("connection", name))
        if shown is None and gaps is None:
            unknown = "" if status["ready"] else "; no rules are known yet"
            raise Refused(404, f"there is no such connection, and there was none{unknown}")
        return {"connection": shown, "problem": _sentences(status).get(name), "gaps": gaps or []}

    async def _rule(self, name: str) -> Json:
        question = _of_last_day("rule", name)
        rules = self._desk.find(name)[:_MOST_RULES]
        gaps = await self._gaps(question)
        if not rules and gaps is None:
            raise Refused(404, "there is no rule with this rule_id or Redis key, and there was none")
        matches = await self._desk.last_matches(rules)
        status = self._desk.status()
        by_name, problems = {c["connection"]: c for c in status["connections"]}, _sentences(status)
        return {
            "rules": [
                {
                    **rule,
                    "last_match": matches.get(rule["rule"]) if matches is not None else None,
                    "matches_known": matches is not None,
                    "carrier": by_name.get(rule["connection"]),
                    "problem": problems.get(rule["connection"]),
                }
                for rule in rules
            ],
            "gaps": gaps or [],
        }

    async def _gaps(self, question: Question) -> list[Json] | None:
        """Return the latest gaps, the oldest first; None when the ledger does not know the name."""
        try:
            return (await self._history.gaps(question))[-_MOST_GAPS:]
        except UnknownError:
            return None


def _carriers(status: Json, name: str) -> list[str]:
    """Return the connections that carry a group; of v2's the one that is named in the ledger is first."""
    return sorted(c["connection"] for c in status["connections"] if name in c["groups"])


def _sentences(status: Json) -> dict[str, str]:
    """Return the sentence of each connection that has a problem."""
    found = status["problems"]
    return {one["name"]: one["sentence"] for one in found if one["what"] == Subject.CONNECTION}


def _of_last_day(what: str, name: str) -> Question:
    """Return the question for the gaps of the last day. Raises BadQuestionError for an impossible name."""
    return Question.parse({what: [name], "since": ["1d"]}, time.time())
