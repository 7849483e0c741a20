"""GET /2/tweets/search/stream."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Sequence
from typing import Any

from aiohttp import web

from traptor.sandbox.clock import Clock
from traptor.sandbox.faults.waiting import Waiting
from traptor.sandbox.v2 import problems
from traptor.sandbox.v2.apps.contracts import Contract, Contracts
from traptor.sandbox.v2.bill import Bill
from traptor.sandbox.v2.endpoints.gate import Call, peer_of
from traptor.sandbox.v2.endpoints.past import PAST_PARAMETERS, Past, parse_past
from traptor.sandbox.v2.faults.fault import V2Fault
from traptor.sandbox.v2.faults.kinds import STRIKE_STREAMS, V2FaultKind
from traptor.sandbox.v2.fields import PARAMETERS, Fields, parse_fields
from traptor.sandbox.v2.parameters.paging import check_names
from traptor.sandbox.v2.posts import Reads
from traptor.sandbox.v2.settings import V2Settings
from traptor.sandbox.v2.streams.history import History
from traptor.sandbox.v2.streams.matches import Match
from traptor.sandbox.v2.streams.slots import Slots
from traptor.sandbox.v2.streams.stream import Pace, PostStream
from traptor.sandbox.v2.streams.strikes import V2Strikes
from traptor.sandbox.wire.framing import Manner, answer, choose_manner
from traptor.sandbox.wire.pump import Pump
from traptor.sandbox.wire.queue import ClosedBy

_STRIKE_NEW = STRIKE_STREAMS | {V2FaultKind.CLOSE_AFTER}


class StreamEndpoint:
    """Opens streams and writes them."""

    def __init__(
        self,
        settings: V2Settings,
        contracts: Contracts,
        slots: Slots,
        faults: Waiting[V2Fault],
        strikes: V2Strikes,
        history: History,
        bill: Bill,
        pump: Pump,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._contracts = contracts
        self._slots = slots
        self._faults = faults
        self._strikes = strikes
        self._history = history
        self._bill = bill
        self._pump = pump
        self._clock = clock
        self._streams = 0

    async def handle(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Answer with a stream. Raises Problem or InvalidRequest."""
        check_names(request.query, (*PARAMETERS, *PAST_PARAMETERS))
        fields = parse_fields(request.query.items())
        contract = self._contracts.of(call.app.name)
        past = parse_past(request.query, contract, self._clock().unix)
        if not len(call.app.filters):
            raise problems.no_rules()
        self._admit(call.app.name, contract, past)
        self._streams += 1
        manner = choose_manner(
            request, self._settings.framing, self._settings.chunking, self._settings.seed + self._streams
        )
        stream = self._open(request, call, fields, manner, past)
        feed = asyncio.create_task(self._feed(stream, past))
        try:
            response = await answer(request, manner, call.headers)
            await self._write(stream, request, response, manner)
        finally:
            feed.cancel()
            self._slots.end(stream, ClosedBy.CLIENT)
        return response

    def _admit(self, app: str, contract: Contract, past: Past) -> None:
        """Raise Problem (429) when all connections of this kind are in use."""
        most = contract.recovery_jobs if past.is_recovery else contract.connections
        used = [one for one in self._slots.active(app) if one.is_recovery is past.is_recovery]
        if len(used) >= most:
            raise problems.too_many_connections(most)

    def _feed(self, stream: PostStream, past: Past) -> Coroutine[Any, Any, None]:
        """Return the writing of the past, of the posts found until now; a recovery ends with it."""
        matches = self._history.between(stream.app.name, past.start_unix_s, past.end_unix_s)
        if not past.is_recovery:
            twice = matches and self._take(stream, V2FaultKind.BACKFILL_TWICE)
            return self._history.write(stream, matches, copies=2 if twice else 1)
        if self._take(stream, V2FaultKind.RECOVERY_STALL):
            return self._stand(stream)
        for fault in self._take(stream, V2FaultKind.RECOVERY_CUT):
            return self._recover(stream, matches[: fault.posts], ClosedBy.FAULT, fault.kind)
        return self._recover(stream, matches, ClosedBy.SERVER, "recovered")

    async def _stand(self, stream: PostStream) -> None:
        """Bring nothing, not even keep-alives, and do not end."""
        stream.stall(math.inf)

    async def _recover(
        self, stream: PostStream, matches: Sequence[Match], closed_by: ClosedBy, reason: str
    ) -> None:
        await self._history.write(stream, matches)
        self._slots.end(stream, closed_by, reason)

    def _take(self, stream: PostStream, kind: V2FaultKind) -> list[V2Fault]:
        now = self._clock().mono
        return self._faults.take_if(stream.app.name, now, lambda fault: fault.kind is kind, most=1)

    async def _write(
        self, stream: PostStream, request: web.Request, response: web.StreamResponse, manner: Manner
    ) -> None:
        timers = self._strike_new(stream)
        try:
            await self._pump.run(stream.app.name, stream, request, response, manner.wire)
        except ConnectionError:
            pass  # the client is gone, as the record says
        finally:
            for timer in timers:
                timer.cancel()

    def _open(
        self, request: web.Request, call: Call, fields: Fields, manner: Manner, past: Past
    ) -> PostStream:
        """Take a slot, before the first await."""
        record = self._slots.new_record(
            call.app.name,
            peer_of(request),
            dict(request.query),
            is_gzip=manner.is_gzip,
            is_recovery=past.is_recovery,
        )
        call.record.status, call.record.connection = 200, record.id
        pace = Pace(self._settings.rate, self._clock().mono)
        stream = PostStream(record, call.app, fields, pace, self._settings.queue_messages, self._charge)
        self._slots.add(stream)
        return stream

    def _charge(self, app: str, reads: Reads) -> None:
        self._bill.add(app, reads, self._clock().unix)

    def _strike_new(self, stream: PostStream) -> list[asyncio.TimerHandle]:
        """Schedule the faults that strike a stream some time after its 200."""
        faults = self._faults.take_if(
            stream.app.name, self._clock().mono, lambda fault: fault.kind in _STRIKE_NEW
        )
        loop = asyncio.get_running_loop()
        return [loop.call_later(fault.after, self._strikes.strike, fault, stream) for fault in faults]
