"""GET, POST and DELETE /api/rules: find rules, add one, remove some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from aiohttp import web

from traptor.common.config.settings import Settings
from traptor.common.errors import TraptorError
from traptor.common.redis.client import blocking_redis_client
from traptor.common.rules.rule import GroupId, Limits, RuleType
from traptor.rulekit.changes.change import ChangeKind, by_group
from traptor.rulekit.changes.editing import chosen, removal
from traptor.rulekit.changes.holdings import Holdings, Stored
from traptor.rulekit.changes.loading import LoadTarget
from traptor.rulekit.changes.single import SingleLoad
from traptor.rulekit.changes.state import state_of
from traptor.rulekit.changes.wanted import wanted_rule
from traptor.rulekit.keeping.changing import Hearing, Steps, WorkOut, apply_change
from traptor.rulekit.keeping.history import Signature
from traptor.rulekit.keeping.losses import LiveGroups, RulesLost, check_losses
from traptor.rulekit.keeping.reading import quiet
from traptor.rulekit.keeping.seeking import seek, sift
from traptor.rulekit.service.aside import Aside
from traptor.rulekit.service.author import author_of
from traptor.rulekit.service.validation import (
    COUNT,
    bad_request,
    encoded,
    encoded_response,
    json_response,
    read_json,
)
from traptor.rulekit.service.where import read_where
from traptor.rulekit.sources.row import Row

_MOST = 1_000
_USUAL = 50
_WAIT_S = 5.0
_FORCE = 'the same request with "force": true in its body changes the group all the same'
_SEARCHED = ("rule_id", "value", "tag", "screen_name")


Guard = Callable[[redis.Redis, Holdings, Steps], None]
"""Raises RulesLost where the steps may not be made."""


class Unchanged(TraptorError):
    """A change that was asked for cannot be made; the message says why."""


class Unknown(Unchanged):
    """There is no such rule."""


@dataclass(frozen=True, slots=True)
class Added:
    """The content of a request to add a rule: its fields, and the id that it goes to if one is named.

    `force` has the group changed although Redis lost its rules, which may stream still.
    """

    rule_type: RuleType
    fields: dict[str, str]
    group: GroupId | None
    force: bool = False

    @classmethod
    def read(cls, body: object) -> Added:
        """Read `{"type": ..., "value": ..., "id": ..., "force": ..., other fields}`. Raises ValueError."""
        fields = dict(body) if isinstance(body, Mapping) else {}
        force = fields.pop("force", False)
        if not fields or not all(isinstance(text, str) for text in fields.values()):
            raise ValueError('expected an object of texts such as {"type": "track", "value": "flood"}')
        if type(force) is not bool:
            raise ValueError("force: true or false is expected")
        rule_type = RuleType.parse(fields.pop("type", ""))
        group_id = fields.pop("id", None)
        group = GroupId.parse(f"{rule_type}:{group_id}") if group_id is not None else None
        return cls(rule_type, fields, group, force)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a change needs of the rules of a type: those to be kept of one group, or of all."""

    rule_type: RuleType
    group: GroupId | None
    keeps: Callable[[Stored], bool]

    def read(self, client: redis.Redis, keep_lock: Callable[[], None]) -> Holdings:
        """Return it. Raises RedisUnavailable and LockedByAnother."""
        return sift(client, self.rule_type, self.group, self.keeps, keep_lock)


class RuleDesk:
    """Finds and changes rules in Redis; `settings` returns those in force, `live` what streams.

    `without_filter` returns why X has no filter for a rule, by its Redis key (v2).
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        aside: Aside,
        live: Callable[[], LiveGroups] | None = None,
        without_filter: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._settings = settings
        self._aside = aside
        self._live = live
        self._without_filter = without_filter

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [
            web.get("/api/rules", self._find),
            web.post("/api/rules", self._add),
            web.delete("/api/rules", self._remove),
        ]

    async def _find(self, request: web.Request) -> web.Response:
        try:
            types, group = read_where(request.query.get("of", ""))
            most = int(request.query.get("most", _USUAL))
        except ValueError as error:
            raise bad_request(str(error)) from None
        if not 1 <= most <= _MOST:
            raise bad_request(f"most: a number from 1 to {_MOST} is expected")
        wanted = request.query.get("search", "").lower()
        without = self._without_filter()
        told, count = await self._aside.run(lambda: self._found(types, group, wanted, most, without))
        response = encoded_response(told)
        response.headers[COUNT] = str(count)
        return response

    async def _add(self, request: web.Request) -> web.Response:
        try:
            added = Added.read(await read_json(request))
            rule = wanted_rule(Row(1, added.fields), added.rule_type, self._limits())
        except ValueError as error:
            raise bad_request(str(error)) from None
        load = SingleLoad(rule, LoadTarget(added.rule_type, self._limits(), added.group))

        def work_out(_client: redis.Redis, holdings: Holdings) -> Steps:
            plan = load.plan(holdings)
            if plan.refused:
                raise Unchanged(plan.refused[0].reason)
            return plan.steps

        signature = Signature(author_of(request), f"add {rule.fields['value']}"[:200])
        guard = None if added.force else self._guard(_FORCE)
        part = _Part(added.rule_type, added.group, load.keeps)
        return await self._changed(part, signature, work_out, guard)

    async def _remove(self, request: web.Request) -> web.Response:
        rule_ids = request.query.getall("rule_id", [])
        try:
            types, group = read_where(request.query.get("of", ""))
            if len(types) != 1 or not rule_ids:
                raise ValueError("of: a type or a group, and at least one rule_id are expected")
        except ValueError as error:
            raise bad_request(str(error)) from None

        def work_out(_client: redis.Redis, holdings: Holdings) -> Steps:
            found, missing = chosen(holdings, rule_ids)
            if missing:
                raise Unknown(f"no {group or types[0]} rule has the id {missing[0]}; nothing was changed")
            return [[change] for change in by_group(removal(found))]

        signature = Signature(author_of(request), f"remove {', '.join(rule_ids)}"[:200])
        wanted = frozenset(rule_ids)
        part = _Part(types[0], group, lambda rule: rule.rule_id in wanted or rule.key in wanted)
        return await self._changed(part, signature, work_out, self._guard(""))

    def _guard(self, all_the_same: str) -> Guard:
        """Return what refuses a change whose hint would end rules that Redis lost."""
        live = self._live() if self._live is not None else None
        return lambda client, holdings, steps: check_losses(client, holdings, steps, live, all_the_same)

    async def _changed(
        self, part: _Part, signature: Signature, work_out: WorkOut, guard: Guard | None
    ) -> web.Response:
        channel = self._settings().redis.channel
        hearing = Hearing(lambda _text: None, quiet, quiet)

        def work_out_safely(client: redis.Redis, holdings: Holdings) -> Steps:
            steps = work_out(client, holdings)
            if guard is not None:
                guard(client, holdings, steps)
            return steps

        def change() -> Steps:
            with _Client(self._settings()) as client:
                return apply_change(
                    client, channel, part.rule_type, signature, _WAIT_S, work_out_safely, hearing, part.read
                )

        try:
            steps = await self._aside.run(change)
        except Unknown as error:
            raise web.HTTPNotFound(reason=str(error)[:500]) from None
        except (Unchanged, RulesLost) as error:
            raise web.HTTPConflict(reason=str(error)[:500]) from None
        changes = [one for step in steps for one in step]
        counts = {str(kind): sum(one.count(kind) for one in changes) for kind in ChangeKind}
        keys = [rule.key for one in changes for rule in one.rules]
        return json_response({**counts, "groups": [str(one.group) for one in changes], "rules": keys})

    def _found(
        self, types: list[RuleType], group: GroupId | None, wanted: str, most: int, without: Mapping[str, str]
    ) -> tuple[bytes, int]:
        """Return the first rules that have the text, as they are told in JSON, and how many have it."""
        with _Client(self._settings()) as client:
            sought = seek(client, types, group, lambda rule: not wanted or _has(rule, wanted), most)
        return encoded([self._told(rule, without.get(rule.key)) for rule in sought.rules]), sought.count

    def _told(self, rule: Stored, why_no_filter: str | None) -> dict[str, Any]:
        judged = rule.judged(self._settings().supervisor.honour_status, self._limits())
        return {
            "key": rule.key,
            "group": str(rule.group),
            "rule_id": rule.rule_id,
            "state": state_of(judged, why_no_filter),
            "fields": dict(rule.fields),
        }

    def _limits(self) -> Limits:
        twitter = self._settings().twitter
        return Limits(twitter.follow_limit, twitter.track_limit, twitter.locations_limit)


def _has(rule: Stored, wanted: str) -> bool:
    texts = (rule.rule_id, str(rule.group), *(rule.fields.get(name, "") for name in _SEARCHED))
    return any(wanted in text.lower() for text in texts)


class _Client:
    """A client of the ini's Redis, for use in a `with` block."""

    def __init__(self, settings: Settings) -> None:
        of = settings.redis
        self._client = blocking_redis_client(of.url, of.timeout, of.ca_file)

    def __enter__(self) -> redis.Redis:
        return self._client

    def __exit__(self, *_error: object) -> None:
        self._client.close()
