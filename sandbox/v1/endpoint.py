"""POST and GET /1.1/statuses/filter.json: who may connect, and the writing of the stream."""

from __future__ import annotations

import asyncio
from random import Random
from urllib.parse import parse_qsl

from aiohttp import HttpVersion11, hdrs, web

from traptor.sandbox.clock import Clock
from traptor.sandbox.errors import Refused
from traptor.sandbox.faults.fault import CONNECT_KINDS, Fault, FaultKind, Faults
from traptor.sandbox.v1.accounts import Account, Accounts, SignedRequest, claimed_key
from traptor.sandbox.v1.attempts import Attempt, Attempts
from traptor.sandbox.v1.connections import REPLACED, Connections, disconnect_message
from traptor.sandbox.v1.filters import Pairs, StreamFilter, parse_filter
from traptor.sandbox.v1.settings import Chunking, Framing, Settings
from traptor.sandbox.v1.stream import ClosedBy, ConnectionRecord, Ending, Message, Stream
from traptor.sandbox.v1.strikes import Strikes
from traptor.sandbox.v1.wire import Wire

_KEEP_ALIVE = b"\r\n"
_NEVER_BYTES = 1 << 50
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
        self._streams = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with a stream, or with the status that Twitter gives for what is wrong."""
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
        seed = self._settings.seed + self._streams
        framing, chunking = _framing_and_chunking(self._settings, seed)
        if request.version < HttpVersion11 and framing is Framing.CHUNKED:
            framing = Framing.GZIP
        accepts_gzip = "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()
        is_gzip = accepts_gzip and framing in (Framing.CHUNKED, Framing.GZIP)
        wire = Wire(
            is_gzip=is_gzip,
            is_delimited=wanted.is_delimited,
            chunking=chunking,
            seed=seed,
            is_chunked=framing is Framing.CHUNKED,
        )
        response = await _answer(request, framing, is_gzip=is_gzip, is_split=wire.is_split)
        stream = self._open(request, account, wanted, is_gzip)
        attempt.status, attempt.connection = 200, stream.record.id
        timers = self._strike_new(account, stream)
        try:
            await self._pump(stream, response, wire)
            await self._finish(stream, request, response, wire)
        except ConnectionError:
            pass  # the client is gone: the record below says so
        finally:
            for timer in timers:
                timer.cancel()
            self._connections.end(stream, ClosedBy.CLIENT)
        return response

    def _open(self, request: web.Request, account: Account, wanted: StreamFilter, is_gzip: bool) -> Stream:
        """Register the stream; then the oldest ones beyond the account's limit end."""
        number = self._connections.next_id()
        record = ConnectionRecord(number, account.name, *_peer(request), self._clock(), wanted, is_gzip)
        stream = Stream(record, account, self._settings.queue_messages)
        self._connections.add(stream)
        for older in self._connections.open(account.name)[: -account.max_connections]:
            last = disconnect_message(REPLACED, "newer connection", account.name)
            self._connections.end(
                older,
                ClosedBy.REPLACED,
                f"by connection {number}",
                last=last if self._settings.says_replaced else None,
            )
        return stream

    def _strike_new(self, account: Account, stream: Stream) -> list[asyncio.TimerHandle]:
        """Arm the faults that strike a stream some time after its 200."""
        is_for_streams = CONNECT_KINDS - {FaultKind.CLOSE_AFTER}
        faults = self._faults.take(account.name, self._clock().mono, lambda kind: kind not in is_for_streams)
        loop = asyncio.get_running_loop()
        return [loop.call_later(fault.after, self._strikes.strike, fault, stream) for fault in faults]

    async def _pump(self, stream: Stream, response: web.StreamResponse, wire: Wire) -> None:
        """Write messages until the stream's end; a keep-alive after each silence."""
        while (batch := await stream.next_batch(self._settings.keep_alive_s)) is not None:
            if not batch and not stream.is_stalled(self._clock().mono):
                await response.write(wire.raw(_KEEP_ALIVE))
                stream.record.keep_alives += 1
            for messages in [batch] if wire.is_odd and batch else [[message] for message in batch]:
                await self._write(messages, stream, response, wire)

    async def _write(
        self, messages: list[Message], stream: Stream, response: web.StreamResponse, wire: Wire
    ) -> None:
        for chunk in wire.chunks([message.data for message in messages]):
            await response.write(chunk)
        stream.wrote(messages, self._clock().mono)

    async def _finish(
        self, stream: Stream, request: web.Request, response: web.StreamResponse, wire: Wire
    ) -> None:
        if stream.ending is Ending.CLEAN:
            if trailer := wire.finish():
                await response.write(trailer)
            return
        if stream.tail:
            await response.write(wire.raw(stream.tail))
        if request.transport is not None:
            await self._strikes.finish(stream, request.transport)


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


class _Unframed(web.StreamResponse):
    """Writes bytes as they are given: framed already, or framed by the end of the connection."""

    _length_check = False


def _framing_and_chunking(settings: Settings, seed: int) -> tuple[Framing, Chunking]:
    """Return what the settings say, or for `any` what the seed does."""
    rng = Random(seed)
    framing = rng.choice([one for one in Framing if one is not Framing.ANY])
    chunking = rng.choice([one for one in Chunking if one is not Chunking.ANY])
    return (
        framing if settings.framing is Framing.ANY else settings.framing,
        chunking if settings.chunking is Chunking.ANY else settings.chunking,
    )


async def _answer(
    request: web.Request, framing: Framing, *, is_gzip: bool, is_split: bool
) -> web.StreamResponse:
    """Send the headers of a 200."""
    is_ours = is_split or framing in (Framing.CLOSE, Framing.GZIP)
    response = (_Unframed if is_ours else web.StreamResponse)(headers={hdrs.CONTENT_TYPE: "application/json"})
    if is_gzip:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    response.force_close()
    if is_split:
        response.headers[hdrs.TRANSFER_ENCODING] = "chunked"
    elif framing is Framing.CHUNKED:
        response.enable_chunked_encoding()
    elif framing is Framing.LENGTH:
        response.content_length = _NEVER_BYTES
    await response.prepare(request)
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
