"""GET /2/tweets/search/all."""

from __future__ import annotations

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.v2.apps.contracts import Contracts
from traptor.sandbox.v2.bill import Bill
from traptor.sandbox.v2.endpoints.gate import Call, answer_json
from traptor.sandbox.v2.posts import Post
from traptor.sandbox.v2.search.finder import Finder
from traptor.sandbox.v2.search.page import page_of
from traptor.sandbox.v2.search.request import Search, page_token, parse_search


class SearchEndpoint:
    """Searches the archive; the posts of a page are charged as those of a stream."""

    def __init__(self, finder: Finder, contracts: Contracts, lag_s: float, bill: Bill, clock: Clock) -> None:
        self._finder = finder
        self._contracts = contracts
        self._lag_s = lag_s
        self._bill = bill
        self._clock = clock

    async def search(self, request: web.Request, call: Call) -> web.Response:
        """Answer with a page, the newest post first. Raises Problem or InvalidRequest."""
        length = self._contracts.of(call.app.name).query_length
        search = parse_search(request.query, self._clock().unix, self._lag_s, length)
        posts, next_token = await self._page(search)
        page, reads = page_of(posts, search.fields, next_token)
        now = self._clock().unix
        for one in reads:
            self._bill.add(call.app.name, one, now)
        return answer_json(page)

    async def _page(self, search: Search) -> tuple[list[Post], str | None]:
        """Return the posts, and the token of the next page if there is one."""
        posts: list[Post] = []
        last = 0
        async for post, record in self._finder.find(search.rule, search.span):
            if len(posts) == search.size:
                return posts, page_token(last)
            posts.append(post)
            last = record.number
        return posts, None
