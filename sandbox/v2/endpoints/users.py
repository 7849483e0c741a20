"""GET /2/users/by and /2/users: accounts by name and by id."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.bill import Bill
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.parameters.paging import check_names
from traptor.sandbox.v2.people import People

_MOST = 100
_OTHER_PARAMETERS = ("user.fields", "tweet.fields", "expansions")
_FORMS = {"usernames": re.compile(r"[A-Za-z0-9_]{1,15}"), "ids": re.compile(r"[0-9]{1,19}")}

Find = Callable[[str], Mapping[str, str] | None]


class UsersEndpoint:
    """Looks accounts up; each one that is found is a read of a user on the bill."""

    def __init__(self, people: People, bill: Bill, clock: Clock) -> None:
        self._people = people
        self._bill = bill
        self._clock = clock

    async def by_name(self, request: web.Request, call: Call) -> web.Response:
        """Answer with the accounts that have the names."""
        return self._answer(request, call, "usernames", self._people.by_name)

    async def by_id(self, request: web.Request, call: Call) -> web.Response:
        """Answer with the accounts that have the ids."""
        return self._answer(request, call, "ids", self._people.by_id)

    def _answer(self, request: web.Request, call: Call, parameter: str, find: Find) -> web.Response:
        check_names(request.query, (parameter, *_OTHER_PARAMETERS))
        wanted = _wanted(request.query, parameter)
        found = {one: find(one) for one in wanted}
        data = [dict(user) for user in found.values() if user is not None]
        errors = [_not_found(parameter, one) for one, user in found.items() if user is None]
        self._bill.day(call.app.name, self._clock().unix).looked_up_users += len(data)
        answer: dict[str, Any] = {"data": data} if data else {}
        return answer_json({**answer, **({"errors": errors} if errors else {})})


def _wanted(query: Mapping[str, str], parameter: str) -> list[str]:
    wanted = [one for one in query.get(parameter, "").split(",") if one]
    if not 1 <= len(wanted) <= _MOST:
        count = f"The number of values in the `{parameter}` query parameter list [{len(wanted)}]"
        message = f"{count} is not between 1 and {_MOST}"
        raise problems.invalid_request(message, {parameter: wanted[:_MOST]})
    for one in wanted:
        if not _FORMS[parameter].fullmatch(one):
            form = _FORMS[parameter].pattern
            message = f"The `{parameter}` query parameter value [{one}] does not match {form}"
            raise problems.invalid_request(message, {parameter: [one]})
    return wanted


def _not_found(parameter: str, value: str) -> dict[str, str]:
    return {
        "value": value,
        "detail": f"Could not find user with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": value,
        "type": problems.kind_of("resource-not-found"),
    }
