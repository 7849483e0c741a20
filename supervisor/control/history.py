"""Answer requests for the past: gaps, intervals and sums, from the gap ledger."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from traptor.common.errors import TraptorError
from traptor.supervisor.ledger.answers.answer import Answer, View, is_any
from traptor.supervisor.ledger.answers.question import Question
from traptor.supervisor.ledger.disk.reader import LedgerReader
from traptor.supervisor.ledger.period import Period
from traptor.supervisor.ledger.records import Entry

log = logging.getLogger(__name__)

Json = dict[str, Any]

_PREFIXES = ("/api", "")  # the second for callers of earlier versions
_LINES_AT_ONCE = 500
_ANSWER_WITHIN_S = 10.0  # for one portion of an answer
_THREADS = 2  # further requests wait


class History:
    """The endpoints of the gap ledger; `view` returns the ledger in memory, `ledger` is its file."""

    def __init__(self, view: Callable[[], View], ledger: Path) -> None:
        self._view = view
        self._ledger = ledger
        self._threads = ThreadPoolExecutor(_THREADS, "control")

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        handlers = {"gaps": self._get_gaps, "intervals": self._get_intervals, "totals": self._get_totals}
        return [
            web.get(f"{prefix}/{name}", handler) for prefix in _PREFIXES for name, handler in handlers.items()
        ]

    def close(self) -> None:
        """Stop answering."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def gaps(self, question: Question) -> list[Json]:
        """Return all gaps of a question. Raises UnknownError, and TraptorError for an unreadable file."""
        return await self._all(question, _is_gap)

    async def intervals(self, since: float) -> list[Json]:
        """Return all intervals since a Unix time. Raises TraptorError for an unreadable file."""
        return await self._all(Question(period=Period(since=since)), is_any)

    async def _all(self, question: Question, wanted: Callable[[Entry], bool]) -> list[Json]:
        view = self._view()
        with closing(await self._in_thread(LedgerReader, self._ledger, _ANSWER_WITHIN_S)) as reader:
            found: list[Json] = await self._in_thread(partial(_all, reader, view, question, wanted))
            return found

    async def _get_gaps(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, lambda answer: answer.intervals(_is_gap))

    async def _get_intervals(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, lambda answer: answer.intervals(is_any))

    async def _get_totals(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, Answer.totals)

    async def _answer(
        self, request: web.Request, ask: Callable[[Answer], Iterator[Json]]
    ) -> web.StreamResponse:
        """Stream JSON lines, made in a thread a portion at a time, as fast as the client reads."""
        parameters = {name: request.query.getall(name) for name in request.query}
        question = Question.parse(parameters, time.time())
        view = self._view()
        with closing(await self._in_thread(LedgerReader, self._ledger, _ANSWER_WITHIN_S)) as reader:
            lines = ask(await self._in_thread(Answer, reader, view, question))
            portion = await self._in_thread(_next_portion, lines)  # before the 200: it may fail
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            await response.prepare(request)
            try:
                while portion:
                    await response.write(portion)
                    portion = await self._in_thread(_next_portion, lines)
                await response.write_eof()
            except ConnectionError:
                raise  # the client is gone
            except Exception as error:
                log.exception("an answer on the control socket was cut short")
                raise ConnectionResetError from error  # the client must not take the answer for complete
        return response

    async def _in_thread(self, deed: Callable[..., Any], *args: Any) -> Any:
        """Return the result of a call in one of the two threads. Raises TraptorError when there is none."""
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._threads, deed, *args)
        except RuntimeError as error:  # "can't start new thread"
            raise TraptorError(f"no thread can answer now: {error}; try again") from error
        return await answer


def _next_portion(lines: Iterator[Json]) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in islice(lines, _LINES_AT_ONCE))


def _all(reader: LedgerReader, view: View, question: Question, wanted: Callable[[Entry], bool]) -> list[Json]:
    return list(Answer(reader, view, question).intervals(wanted))


def _is_gap(entry: Entry) -> bool:
    return entry.is_gap
