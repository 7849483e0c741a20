"""GET /api/rules/tweets: the last tweets of one rule, from the output's files or as they pass."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from traptor.rulekit.figures.recent import last_lines, text_in
from traptor.rulekit.service.aside import Aside
from traptor.supervisor.control.live import Places
from traptor.supervisor.control.refusals import Refused
from traptor.supervisor.control.views import answer
from traptor.supervisor.orders.desk import Desk

Json = dict[str, Any]

_SHOWN = 5
_LISTEN_S = 10.0
_END_BYTES = 4 << 20  # of the file of its connection
_MOST_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class WantedRule:
    """The rule whose tweets are told; its value tells it apart where several groups use the same ids."""

    rule_id: str
    value: str

    def found(self, tweet: Mapping[str, Any]) -> bool:
        """Tell whether the rule is among those of a delivered tweet."""
        rules = (tweet.get("traptor") or {}).get("collection_rules") or ()
        return any(
            (rule.get("rule_id"), rule.get("rule_value")) == (self.rule_id, self.value) for rule in rules
        )


class RuleTweets:
    """Tells the last five tweets of a rule. Files are read in a thread."""

    def __init__(self, desk: Desk, places: Places, aside: Aside, listen_s: float = _LISTEN_S) -> None:
        self._desk = desk
        self._places = places
        self._aside = aside
        self._listen_s = listen_s

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [web.get("/api/rules/tweets", self._get_tweets, allow_head=False)]

    async def _get_tweets(self, request: web.Request) -> web.StreamResponse:
        match list(request.query.items()):
            case [("rule", name)] if name:
                rule = self._rule(name)
            case _:
                raise Refused(400, "ask for one rule: ?rule=ID, or its Redis key")
        connection, wanted = rule["connection"], WantedRule(rule["rule_id"], rule["value"])
        if connection is None:
            return answer([])
        output = self._desk.settings().traptor.output
        found = await self._aside.run(lambda: last_tweets(last_lines(output, connection, _END_BYTES), wanted))
        return answer(found or await self._listened(request, connection, wanted))

    def _rule(self, name: str) -> Json:
        rules = self._desk.find(name)
        if not rules:
            raise Refused(404, "there is no rule with this rule_id or Redis key")
        if len(rules) > 1:
            raise Refused(409, f"{len(rules)} rules have this rule_id; ask with the Redis key of one")
        return rules[0]

    async def _listened(self, request: web.Request, connection: str, wanted: WantedRule) -> list[Json]:
        """Return what passes within a few seconds; it may be nothing."""
        self._desk.sampling.check(connection)
        found: deque[Json] = deque(maxlen=_SHOWN)
        until = time.monotonic() + self._listen_s
        with self._places.one(request):
            async with aclosing(self._desk.sampling.samples(connection)) as samples:
                async for sample in samples:
                    found.extend(tweets_of(sample.messages if sample is not None else (), wanted))
                    is_gone = request.transport is None or request.transport.is_closing()
                    if is_gone or len(found) == _SHOWN or time.monotonic() >= until:
                        break
                    await asyncio.sleep(0)
        return list(reversed(found))


def last_tweets(lines: Collection[bytes], wanted: WantedRule) -> list[Json]:
    """Return the last tweets that the rule found, the latest first."""
    return list(islice(tweets_of(reversed(list(lines)), wanted), _SHOWN))


def tweets_of(lines: Iterable[bytes], wanted: WantedRule) -> Iterator[Json]:
    """Yield those of the delivered messages that the rule found, in short."""
    quoted = json.dumps(wanted.rule_id).encode()  # ASCII, as rules are in tweets
    for line in lines:
        if quoted not in line:
            continue  # most lines: not decoded for nothing
        try:
            tweet = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(tweet, dict) and wanted.found(tweet):
            yield _in_short(tweet)


def _in_short(tweet: Mapping[str, Any]) -> Json:
    post, collection = tweet.get("data") or tweet, tweet["traptor"].get("collection") or {}
    return {
        "id": post.get("id_str") or post.get("id"),
        "author": (post.get("user") or {}).get("screen_name") or post.get("author_id"),
        "text": text_in(tweet)[:_MOST_CHARACTERS],
        "created_at": post.get("created_at"),
        "received_at": collection.get("received_at"),
        "connection": collection.get("connection"),
    }
