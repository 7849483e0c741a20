"""Asks X about one app: its filters, its connections, what it used, and its bearer token."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from traptor.supervisor.xapi.answers import (
    AddAnswer,
    ConnectionPage,
    Counts,
    CountsAnswer,
    DeleteAnswer,
    FilterPage,
    KillAnswer,
    ListedConnection,
    ListedFilter,
    TokenAnswer,
    Usage,
    UsageAnswer,
)
from traptor.supervisor.xapi.batch import BatchAnswer, NewFilter, batch_answer
from traptor.supervisor.xapi.exchange import Ask, Exchange, decoded
from traptor.supervisor.xapi.failures import BadAnswer
from traptor.supervisor.xapi.quota import Quota

_RULES = "/2/tweets/search/stream/rules"
_CONNECTIONS = "/2/connections"
_CONNECTION_FIELDS = "id,endpoint_name,connected_at,disconnected_at,disconnect_reason,client_ip"
_NOT_ABOUT_FILTERS = {401, 402, 429}  # of the refusals
_MOST_UUIDS = 100
_MOST_PAGES = 200  # of lists: an Enterprise app has 25 of filters


@dataclass(frozen=True, slots=True)
class PageOfFilters:
    """Filters of one page, and where the next one begins; "" after the last."""

    filters: tuple[ListedFilter, ...]
    next_token: str
    quota: Quota


class XClient:
    """Asks with one app's bearer token.

    Every method raises an XFailure when X refuses, is away, or answers in another form.
    """

    def __init__(self, exchange: Exchange, bearer_token: str) -> None:
        self._exchange = exchange
        self._authorization = f"Bearer {bearer_token}"

    async def filter_page(self, token: str = "") -> PageOfFilters:
        """Return one page of the filters: one request."""
        query = (("max_results", "1000"), *([("pagination_token", token)] if token else []))
        ask = Ask("list filters", "GET", _RULES, query)
        reply = await self._exchange.ask(ask, self._authorization)
        page = decoded(ask, reply, FilterPage)
        return PageOfFilters(page.data, page.meta.next_token or "", reply.quota)

    async def filters(self) -> tuple[ListedFilter, ...]:
        """Return all filters, page by page."""
        found: list[ListedFilter] = []
        token = ""
        for _ in range(_MOST_PAGES):
            page = await self.filter_page(token)
            found += page.filters
            token = page.next_token
            if not token:
                return tuple(found)
        raise BadAnswer(f"list filters: the list does not end after {_MOST_PAGES} pages")

    async def add(self, filters: Sequence[NewFilter]) -> tuple[BatchAnswer, Quota]:
        """Add filters in one request; the answer tells what became of each."""
        wanted = [{"value": one.value, "tag": one.tag} for one in filters]
        ask = Ask("add filters", "POST", _RULES, body={"add": wanted})
        reply = await self._exchange.ask(ask, self._authorization)
        if not (400 <= reply.status < 500 and reply.status not in _NOT_ABOUT_FILTERS):
            decoded(ask, reply, AddAnswer)
        answer = batch_answer(filters, reply.status, reply.raw)
        if answer is None:
            decoded(ask, reply, AddAnswer)
            raise BadAnswer("add filters: the answer does not tell what became of them", reply.quota)
        return answer, reply.quota

    async def delete(self, ids: Sequence[str]) -> tuple[bool, Quota]:
        """Delete filters by id in one request; False where X did not find all of them."""
        ask = Ask("delete filters", "POST", _RULES, body={"delete": {"ids": list(ids)}})
        reply = await self._exchange.ask(ask, self._authorization)
        if reply.status == 400 and b'"not_deleted"' in reply.raw:
            return False, reply.quota  # X refuses a request all of whose filters are gone
        summary = decoded(ask, reply, DeleteAnswer).meta.summary
        return summary.deleted >= len(ids) and not summary.not_deleted, reply.quota

    async def counts(self) -> Counts:
        """Return how many filters the app may have, and has."""
        ask = Ask("count filters", "GET", f"{_RULES}/counts")
        return decoded(ask, await self._exchange.ask(ask, self._authorization), CountsAnswer).data

    async def connections(self, status: str = "active") -> tuple[ListedConnection, ...]:
        """Return the app's connections to the stream: `active`, `inactive` or `all`."""
        found: list[ListedConnection] = []
        token = ""
        for _ in range(_MOST_PAGES):
            page = await self._connection_page(status, token)
            found += page.connections
            token = page.meta.next_token or ""
            if not token:
                return tuple(found)
        raise BadAnswer(f"list connections: the list does not end after {_MOST_PAGES} pages")

    async def _connection_page(self, status: str, token: str) -> ConnectionPage:
        query = (
            ("status", status),
            ("endpoints", "filtered_stream"),
            ("max_results", "100"),
            ("connection.fields", _CONNECTION_FIELDS),
            *([("pagination_token", token)] if token else []),
        )
        ask = Ask("list connections", "GET", _CONNECTIONS, query)
        return decoded(ask, await self._exchange.ask(ask, self._authorization), ConnectionPage)

    async def end_connections(self, uuids: Iterable[str]) -> frozenset[str]:
        """End these connections, at most 100; returns those that X ended."""
        wanted = list(uuids)
        if not 1 <= len(wanted) <= _MOST_UUIDS:
            raise ValueError(f"1 to {_MOST_UUIDS} connections can be ended at once, not {len(wanted)}")
        ask = Ask("end connections", "DELETE", _CONNECTIONS, body={"uuids": wanted})
        answer = decoded(ask, await self._exchange.ask(ask, self._authorization), KillAnswer)
        return answer.data.ended & frozenset(wanted)

    async def usage(self) -> Usage:
        """Return what X counted in the billing month."""
        query = (("usage.fields", "cap_reset_day,project_cap,project_usage"),)
        ask = Ask("ask for usage", "GET", "/2/usage/tweets", query)
        return decoded(ask, await self._exchange.ask(ask, self._authorization), UsageAnswer).data


async def fetch_bearer(exchange: Exchange, consumer_key: str, consumer_secret: str) -> str:
    """Return the bearer token of the app with this consumer key. Raises XFailure."""
    pair = f"{quote(consumer_key, safe='')}:{quote(consumer_secret, safe='')}".encode()
    ask = Ask("fetch bearer token", "POST", "/oauth2/token", form=(("grant_type", "client_credentials"),))
    reply = await exchange.ask(ask, f"Basic {base64.b64encode(pair).decode()}")
    return decoded(ask, reply, TokenAnswer).access_token
