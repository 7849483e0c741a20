"""POST /2/tweets/search/stream/rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.apps.contracts import Contracts
from traptor.sandbox.v2.apps.filters import Filter, FilterSet
from traptor.sandbox.v2.apps.registry import App
from traptor.sandbox.v2.endpoints.changebody import Change, Wanted, parse_change
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.language.errors import InvalidRule
from traptor.sandbox.v2.language.rule import Rule, parse_rule
from traptor.sandbox.v2.parameters.moments import iso
from traptor.sandbox.v2.problems import Spelling, kind_of
from traptor.sandbox.v2.settings import Batches, V2Settings

_FIRST_ID = 1_273_026_480_692_322_304
Json = dict[str, Any]


@dataclass(slots=True)
class _Judged:
    """The judgement of a batch."""

    good: list[tuple[Wanted, Rule]] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    invalid: int = 0


class RuleChanges:
    """Adds and deletes an app's filters."""

    def __init__(self, settings: V2Settings, contracts: Contracts, spelling: Spelling, clock: Clock) -> None:
        self._settings = settings
        self._contracts = contracts
        self._spelling = spelling
        self._clock = clock
        self._ids = count(_FIRST_ID)

    async def change(self, request: web.Request, call: Call) -> web.Response:
        """Carry out the request and respond with the results. Raises Problem."""
        change = parse_change(request.query, await request.read())
        if change.add:
            return self._add(call.app, change)
        return self._delete(call.app, change)

    def _add(self, app: App, change: Change) -> web.Response:
        contract = self._contracts.of(app.name)
        judged = _judge(app.filters, change.add, contract.rule_length)
        is_refused = judged.invalid and self._settings.batches is Batches.WHOLE
        good = [] if is_refused else judged.good
        if len(app.filters) + len(good) > contract.rules:
            raise problems.rule_cap(contract.rules)
        created = list(self._created(app, good, is_dry_run=change.is_dry_run))
        summary = {
            "created": len(created),
            "not_created": len(change.add) - len(created),
            "valid": len(change.add) - judged.invalid,
            "invalid": judged.invalid,
        }
        is_bad = judged.invalid and not created
        return self._answer(created, summary, judged.errors, 400 if is_bad else 201)

    def _created(
        self, app: App, good: Sequence[tuple[Wanted, Rule]], *, is_dry_run: bool
    ) -> Iterator[dict[str, str]]:
        now = self._clock()
        for wanted, rule in good:
            filter_id = str(next(self._ids))
            effect_s = self._settings.effect_s
            if is_dry_run:
                yield Filter(filter_id, rule, wanted.tag, now.unix, now.unix).as_listed()
            else:
                yield app.filters.add(filter_id, rule, wanted.tag, now, effect_s).as_listed()

    def _delete(self, app: App, change: Change) -> web.Response:
        if change.deletes_all:
            change = replace(change, delete_ids=tuple(one.id for one in app.filters.listed()))
        found, errors = _found(app.filters, change)
        if not change.is_dry_run:
            app.filters.remove(found.values(), self._clock(), self._settings.effect_s)
        summary = {"deleted": len(found), "not_deleted": len(errors)}
        return self._answer([], summary, errors, 400 if errors and not found else 200)

    def _answer(
        self, data: list[dict[str, str]], summary: dict[str, int], errors: list[Json], status: int
    ) -> web.Response:
        body: Json = {"data": data} if data else {}
        body["meta"] = {"sent": iso(self._clock().unix), "summary": summary}
        if errors:
            body["errors"] = errors
        return answer_json(self._spelling.spell(body), status)


def _judge(filters: FilterSet, batch: Sequence[Wanted], rule_length: int) -> _Judged:
    """Separate the filters that can be added from duplicates and invalid ones."""
    judged = _Judged()
    seen: set[str] = set()
    for wanted in batch:
        existing = filters.with_value(wanted.value)
        if existing is not None or wanted.value in seen:
            judged.errors.append(_duplicate(wanted.value, existing))
            continue
        seen.add(wanted.value)
        try:
            judged.good.append((wanted, parse_rule(wanted.value, rule_length)))
        except InvalidRule as problem:
            judged.invalid += 1
            judged.errors.append(_invalid(wanted.value, problem.details))
    return judged


def _found(filters: FilterSet, change: Change) -> tuple[dict[str, Filter], list[Json]]:
    found: dict[str, Filter] = {}
    errors = []
    wanted = [("id", item, filters.get(item)) for item in change.delete_ids]
    wanted += [("value", item, filters.with_value(item)) for item in change.delete_values]
    for name, item, one in wanted:
        if one is None:
            errors.append(_missing(name, item))
        else:
            found[one.id] = one
    return found, errors


def _duplicate(value: str, existing: Filter | None) -> Json:
    error = {"title": "DuplicateRule", "type": kind_of("duplicate-rules"), "value": value}
    return error | ({"id": existing.id} if existing else {})


def _invalid(value: str, details: Sequence[str]) -> Json:
    return {
        "title": "UnprocessableEntity",
        "type": kind_of("invalid-rules"),
        "value": value,
        "details": list(details),
    }


def _missing(name: str, item: str) -> Json:
    message = "Rule does not exist"
    return {
        "title": "Invalid Request",
        "type": kind_of("invalid-request"),
        "detail": "One or more parameters to your request was invalid.",
        "errors": [{"message": message, "parameters": {name: [item]}}],
    }
