"""POST and GET /1.1/statuses/filter.json: admits clients, and writes their streams."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import Refused
from traptor.sandbox.faults.fault import CONNECT_KINDS, Fault, FaultKind, Faults
from traptor.sandbox.v1.accounts import Account, Accounts, SignedRequest, claimed_key
from traptor.sandbox.v1.attempts import Attempt, Attempts
from traptor.sandbox.v1.connections import REPLACED, Connections, disconnect_message
from traptor.sandbox.v1.filters import Pairs, StreamFilter, parse_filter
from traptor.sandbox.v1.settings import Settings
from traptor.sandbox.v1.stream import ConnectionRecord, Stream
from traptor.sandbox.v1.strikes import Strikes
from traptor.sandbox.wire.framing import Manner, answer, choose_manner
from traptor.sandbox.wire.pump import Pump
from traptor.sandbox.wire.queue import ClosedBy

_FORM = "application/x-www-form-urlencoded"


class FilterEndpoint:
    """Handles the requests of collectors."""

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        attempts: Attempts,
        connections: Connections,
        faults: Faults,
        strikes: Strikes,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._attempts = attempts
        self._connections = connections
        self._faults = faults
        self._strikes = strikes
        self._clock = clock
        self._pump = Pump(settings.keep_alive_s, strikes.sockets, clock)
        self._streams = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with a stream, or with the status that Twitter gives for the error."""
        attempt = self._attempts.start(
            self._clock(), _peer(request), claimed_key(request.headers.get(hdrs.AUTHORIZATION, ""))
        )
        try:
            account, wanted = await self._admit(request, attempt)
        except Refused as refusal:
            attempt.status, attempt.reason = refusal.status, refusal.reason
            return await _refuse(request, refusal)
        return await self._stream(request, attempt, account, wanted)

    async def _admit(self, request: web.Request, attempt: Attempt) -> tuple[Account, StreamFilter]:
        pairs = await _pairs(request)
        uri = f"{request.scheme}://{request.host}{request.url.raw_path}"
        signed = SignedRequest(request.method, uri, pairs, request.headers.get(hdrs.AUTHORIZATION, ""))
        account = self._accounts.authenticate(signed, self._clock().unix)
        attempt.account = account.name
        for fault in self._take(account, FaultKind.SLOW_START):
            await asyncio.sleep(fault.after)
        for fault in self._take(account, FaultKind.STATUS):
            raise Refused(fault.status, "on demand", fault.headers, fault.after)
        self._attempts.spend(account.name, self._clock().mono)
        wanted = parse_filter(pairs, self._settings.limits)
        if len(self._connections.open(account.name)) >= account.max_connections:
            for fault in self._take(account, FaultKind.REFUSE_SECOND):
                raise Refused(fault.status, "Exceeded connection limit for user", fault.headers)
        return account, wanted

    def _take(self, account: Account, kind: FaultKind) -> list[Fault]:
        return self._faults.take(account.name, self._clock().mono, lambda one: one is kind, most=1)

    async def _stream(
        self, request: web.Request, attempt: Attempt, account: Account, wanted: StreamFilter
    ) -> web.StreamResponse:
        self._streams += 1
        manner = choose_manner(
            request,
            self._settings.framing,
            self._settings.chunking,
            self._settings.seed + self._streams,
            is_delimited=wanted.is_delimited,
        )
        stream = self._open(request, account, wanted, manner.is_gzip)
        attempt.status, attempt.connection = 200, stream.record.id
        try:
            response = await answer(request, manner)
            self._replace_older(account, stream)
            await self._write(account, stream, request, response, manner)
        finally:
            self._connections.end(stream, ClosedBy.CLIENT)
        return response

    async def _write(
        self,
        account: Account,
        stream: Stream,
        request: web.Request,
        response: web.StreamResponse,
        manner: Manner,
    ) -> None:
        timers = self._strike_new(account, stream)
        try:
            await self._pump.run(account.name, stream, request, response, manner.wire)
        except ConnectionError:
            pass  # the client is gone, as the record says
        finally:
            for timer in timers:
                timer.cancel()

    def _open(self, request: web.Request, account: Account, wanted: StreamFilter, is_gzip: bool) -> Stream:
        """Register the stream, before its 200 is sent: from now on tweets are queued for it."""
        number = self._connections.next_id()
        record = ConnectionRecord(number, account.name, *_peer(request), self._clock(), wanted, is_gzip)
        stream = Stream(record, account, self._settings.queue_messages)
        self._connections.add(stream)
        return stream

    def _replace_older(self, account: Account, stream: Stream) -> None:
        """End the oldest streams beyond the account's limit, once the 200 of this one is sent."""
        for older in self._connections.open(account.name)[: -account.max_connections]:
            last = disconnect_message(REPLACED, "newer connection", account.name)
            self._connections.end(
                older,
                ClosedBy.REPLACED,
                f"by connection {stream.record.id}",
                last=last if self._settings.says_replaced else None,
            )

    def _strike_new(self, account: Account, stream: Stream) -> list[asyncio.TimerHandle]:
        """Schedule the faults that strike a stream some time after its 200."""
        is_for_streams = CONNECT_KINDS - {FaultKind.CLOSE_AFTER}
        faults = self._faults.take(account.name, self._clock().mono, lambda kind: kind not in is_for_streams)
        loop = asyncio.get_running_loop()
        return [loop.call_later(fault.after, self._strikes.strike, fault, stream) for fault in faults]


async def _refuse(request: web.Request, refusal: Refused) -> web.StreamResponse:
    text = f"{refusal.reason}\n"
    if not refusal.text_after_s:
        return web.Response(status=refusal.status, text=text, headers=refusal.headers)
    response = web.StreamResponse(status=refusal.status, headers=refusal.headers)
    response.content_length = len(text)
    await response.prepare(request)
    await response.write(text[:1].encode())
    await asyncio.sleep(refusal.text_after_s)
    await response.write(text[1:].encode())
    return response


async def _pairs(request: web.Request) -> Pairs:
    """Return the parameters of query and form, decoded."""
    pairs = parse_qsl(request.url.raw_query_string, keep_blank_values=True)
    if request.content_type == _FORM:
        form = (await request.read()).decode("utf-8", "replace")
        pairs += parse_qsl(form, keep_blank_values=True)
    return pairs


def _peer(request: web.Request) -> tuple[str, int]:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return (peer[0], peer[1]) if peer else ("", 0)
