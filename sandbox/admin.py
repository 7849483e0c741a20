"""The API under /sandbox: shows what the sandbox did, and takes orders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.fault import Faults, parse_fault
from traptor.sandbox.faults.soakplan import parse_soak
from traptor.sandbox.record import TweetLog
from traptor.sandbox.timeline import Timeline
from traptor.sandbox.tweets.rules import parse_rules
from traptor.sandbox.tweets.twitterjson import parse_json, twitter_json
from traptor.sandbox.tweets.values import Value, parse_loose
from traptor.sandbox.v1.accounts import Accounts, parse_accounts
from traptor.sandbox.v1.attempts import Attempts
from traptor.sandbox.v1.connections import Connections
from traptor.sandbox.v1.soak import Soak
from traptor.sandbox.v1.strikes import Strikes
from traptor.sandbox.wire.queue import Message

MAX_BURST = 1_000_000
MAX_RATE = 100_000.0
_LINES_AT_ONCE = 1000
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Admin:
    """The handlers of the API."""

    def __init__(
        self,
        timeline: Timeline,
        log: TweetLog,
        accounts: Accounts,
        attempts: Attempts,
        connections: Connections,
        faults: Faults,
        strikes: Strikes,
        soak: Soak,
        clock: Clock,
    ) -> None:
        self._timeline = timeline
        self._log = log
        self._accounts = accounts
        self._attempts = attempts
        self._connections = connections
        self._faults = faults
        self._strikes = strikes
        self._soak = soak
        self._clock = clock
        self._started = clock()

    def routes(self) -> list[web.RouteDef]:
        """Return all routes of the API."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/sandbox/state", self._state),
            web.get("/sandbox/rules", self._rules),
            web.put("/sandbox/rules", self._set_rules),
            web.put("/sandbox/rate", self._set_rate),
            web.post("/sandbox/stop-timeline", self._stop),
            web.post("/sandbox/start-timeline", self._start),
            web.post("/sandbox/burst", self._burst),
            web.post("/sandbox/edits", self._edit),
            web.post("/sandbox/messages", self._message),
            web.put("/sandbox/accounts", self._set_accounts),
            web.get("/sandbox/faults", self._get_faults),
            web.post("/sandbox/faults", self._add_fault),
            web.delete("/sandbox/faults", self._clear_faults),
            web.get("/sandbox/soak", self._get_soak),
            web.post("/sandbox/soak", self._begin_soak),
            web.delete("/sandbox/soak", self._end_soak),
            web.get("/sandbox/connections", self._get_connections),
            web.get("/sandbox/tweets", self._get_tweets),
            web.get("/sandbox/attempts", self._get_attempts),
        ]

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _json({"ok": True})

    async def _state(self, _request: web.Request) -> web.Response:
        now = self._clock()
        return _json(
            {
                "now": now.unix,
                "now_mono": now.mono,
                "started_at": self._started.unix,
                "running": self._timeline.is_running,
                "rate": self._timeline.rate,
                "rules": len(self._timeline.rules),
                "made": self._log.made,
                "made_by_type": dict(self._log.made_by_type),
                "noise": self._log.noise,
                "written": sum(record.tweets for record in self._connections.records),
                "left_to_replay": self._timeline.left_to_replay,
                "open_connections": len(self._connections.open()),
                "connections": self._connections.opened,
                "attempts": self._attempts.count,
                "checks_signatures": not self._accounts.is_open,
            }
        )

    async def _rules(self, _request: web.Request) -> web.Response:
        return _json({"rules": self._timeline.rules, "changes": list(self._timeline.rule_changes)})

    async def _set_rules(self, request: web.Request) -> web.Response:
        rules, values = parse_rules(await _body(request))
        self._timeline.set_rules(rules, values)
        return _json({"rules": len(rules), "values": len(set(values))})

    async def _set_rate(self, request: web.Request) -> web.Response:
        rate = (await _object(request, "rate")).get("rate")
        if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 <= rate <= MAX_RATE:
            raise BadInput(f"rate: a number of tweets a second from 0 to {MAX_RATE:g} is expected")
        self._timeline.rate = float(rate)
        return _json({"rate": rate})

    async def _stop(self, _request: web.Request) -> web.Response:
        self._timeline.is_running = False
        return _json({"running": False, "made": self._log.made})

    async def _start(self, _request: web.Request) -> web.Response:
        self._timeline.is_running = True
        return _json({"running": True, "made": self._log.made})

    async def _burst(self, request: web.Request) -> web.Response:
        body = await _object(request, "n", "values")
        count, items = body.get("n"), body.get("values")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_BURST:
            raise BadInput(f"n: a whole number from 1 to {MAX_BURST} is expected")
        if items is not None and not isinstance(items, list):
            raise BadInput("values: a list or null is expected")
        values: list[Value] = [value for item in items or [] for value in parse_loose(item)]
        first, last = await self._timeline.burst(count, values)
        return _json({"made": count, "first": first, "last": last})

    async def _edit(self, request: web.Request) -> web.Response:
        ids = (await _object(request, "ids")).get("ids")
        if not isinstance(ids, list) or not all(isinstance(one, str) and one.isdecimal() for one in ids):
            raise BadInput("ids: a list of ids, as strings, is expected")
        return _json({"versions": [str(self._timeline.edit(int(one))) for one in ids]})

    async def _message(self, request: web.Request) -> web.Response:
        body = await _object(request, "message", "account")
        if not isinstance(body.get("message"), dict):
            raise BadInput("message: an object is expected")
        receivers = self._connections.open(_name(body.get("account")))
        self._connections.send(Message(twitter_json(body["message"]) + b"\r\n"), receivers)
        return _json({"written_to": [stream.record.id for stream in receivers]})

    async def _set_accounts(self, request: web.Request) -> web.Response:
        accounts = parse_accounts(await _body(request))
        self._accounts.replace(accounts)
        return _json({"accounts": [account.name for account in accounts]})

    async def _get_faults(self, _request: web.Request) -> web.Response:
        now = self._clock().mono
        silent = [stream.record.id for stream in self._connections.open() if stream.is_stalled(now)]
        waiting = [fault.as_json() for fault in self._faults.waiting(now)]
        return _json({"faults": waiting, "stalled_connections": silent})

    async def _add_fault(self, request: web.Request) -> web.Response:
        fault = parse_fault(await _body(request))
        return _json({**fault.as_json(), "struck": self._strikes.ask(fault)})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        account = request.query.get("account")
        self._faults.clear(account)
        self._strikes.clear(account)
        return _json({"faults": []})

    async def _get_soak(self, _request: web.Request) -> web.Response:
        return _json(self._soak.as_json())

    async def _begin_soak(self, request: web.Request) -> web.Response:
        self._soak.begin(parse_soak(await _body(request)))
        return _json(self._soak.as_json())

    async def _end_soak(self, _request: web.Request) -> web.Response:
        self._soak.end()
        return _json(self._soak.as_json())

    async def _get_connections(self, request: web.Request) -> web.Response:
        with_values = request.query.get("values", "yes") != "no"
        return _json([record.as_json(with_values) for record in self._connections.records])

    async def _get_tweets(self, request: web.Request) -> web.StreamResponse:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            raise BadInput("since: the number `n` of a tweet is expected")
        records = self._log.since(int(since))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for start in range(0, len(records), _LINES_AT_ONCE):
            slice_ = records[start : start + _LINES_AT_ONCE]
            await response.write(b"".join(orjson.dumps(record.as_json()) + b"\n" for record in slice_))
            await asyncio.sleep(0)  # the streams continue meanwhile
        return response

    async def _get_attempts(self, _request: web.Request) -> web.Response:
        return _json([attempt.as_json() for attempt in self._attempts.log])


@web.middleware
async def errors_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer bad input with 400 and one line, and put aiohttp's own refusals in the same form."""
    try:
        return await handler(request)
    except BadInput as problem:
        return _json({"error": str(problem)}, status=400)
    except web.HTTPException as problem:
        reason = f"{request.method} {request.path}: {problem.reason}"
        return _json({"error": reason}, status=problem.status)


async def _body(request: web.Request) -> Any:
    try:
        return parse_json(await request.read())
    except BadInput as problem:
        raise BadInput(f"the body is {problem}") from None


async def _object(request: web.Request, *names: str) -> dict[str, Any]:
    body = await _body(request)
    if not isinstance(body, dict):
        raise BadInput(f"an object with {', '.join(names)} is expected")
    if unknown := body.keys() - set(names):
        raise BadInput(f"{', '.join(sorted(unknown))}: none of {', '.join(names)}")
    return body


def _name(account: object) -> str | None:
    if account is not None and not isinstance(account, str):
        raise BadInput("account: a name or null is expected")
    return account


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=_dump(content), status=status, content_type="application/json")


def _dump(content: object) -> bytes:
    try:
        return orjson.dumps(content)
    except TypeError:  # half a surrogate pair in a name from a request
        return twitter_json(content)
