"""Whatever comes through the control socket is answered or closed, and harms nobody."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.api import make_desk
from support.fuzzing import examples, mangled
from support.planted import SECRET
from support.waiting import DEADLINE_S

from traptor.common.config.sections.http import HttpSection
from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.control.routes import Api
from traptor.supervisor.control.server import ControlServer
from traptor.supervisor.gaps.interval import GapCause, Instant, Totals
from traptor.supervisor.ledger.answers.accounting import Balance
from traptor.supervisor.ledger.answers.answer import View
from traptor.supervisor.ledger.disk.store import LedgerStore
from traptor.supervisor.ledger.records import Entry, Placement, Unwritten

T = TypeVar("T")

NOW = Instant(150.0, 50.0)
IDLE_S = 0.15
RULE = Rule("traptor-track:0:1", "1", GroupId.parse("track:0"), ("1",), b"{}")
STORED = [
    Entry("track:0", "gap", "network", 100.0, 130.0, 30.0, id=1),
    Entry("track:0", "streaming", None, 130.0, 140.0, 10.0, id=2),
]
VIEW = View(
    NOW,
    [],
    [],
    [Entry("track:0", "streaming", None, 140.0, 150.0, 10.0, is_open=True)],
    [
        Balance.of(
            "track:0", Instant(100.0, 0.0), NOW, Totals(streaming_s=20.0, gaps_s={GapCause.NETWORK: 30.0})
        )
    ],
)


class Records(logging.Handler):
    """What is logged, with what it tells of errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))


@dataclass
class Place:
    """Where a server with a small ledger is to listen, and what was logged meanwhile."""

    folder: Path
    records: Records = field(default_factory=Records)
    status: Callable[[], dict[str, Any]] = lambda: {"version": "1"}

    @property
    def socket(self) -> str:
        return str(self.folder / "s")

    def with_server(self, talk: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What comes of a talk with a new server, which at its end answers `/status` as at its beginning."""

        async def whole() -> T:
            # One after the other: asyncio does not wait where the backlog of a unix socket is full.
            self._connecting = asyncio.Lock()
            api = Api(make_desk(self.folder, lambda: self.status(), lambda: VIEW))
            server = ControlServer(Path(self.socket), api.routes(), HttpSection, IDLE_S)
            await server.start()
            try:
                result = await talk()
                status, body = await self.get("/status")
                assert (status, json.loads(body)) == (200, {"version": "1"})
                return result
            finally:
                await server.close()
                api.close()

        del self.records.told[:]
        result = asyncio.run(whole())
        assert not self.records.told
        return result

    async def exchange(self, pieces: Sequence[bytes]) -> bytes:
        """All that is answered until the server closes; fails when it does not."""
        async with self._connecting:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        with closing(writer):
            answer = asyncio.create_task(reader.read())
            with suppress(ConnectionError):  # it has heard enough
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
            await asyncio.wait([answer], timeout=DEADLINE_S)
            assert answer.done(), "neither answered nor closed"
            return b"" if isinstance(answer.exception(), ConnectionError) else answer.result()

    async def get(self, target: str) -> tuple[int, bytes]:
        """Status and body of the answer to one GET."""
        request = f"GET {target} HTTP/1.0\r\nAuthorization: {SECRET}\r\n\r\n"
        head, _, body = (await self.exchange([request.encode()])).partition(b"\r\n\r\n")
        return int(head.split()[1]), body


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as name:  # a path short enough for a socket
        folder = Path(name)
        placements = [Placement(where, [RULE], 100.0) for where in ("known:track:0", "track:0")]
        with closing(LedgerStore(folder / "ledger.db")) as store:
            store.write(Unwritten(NOW, "boot", entries=STORED, placements=placements))
            one = Place(folder)
            logging.getLogger().addHandler(one.records)
            yield one
            logging.getLogger().removeHandler(one.records)


# ---- bytes

WHOLE = f"GET /gaps?rule=1&since=0 HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\n\r\n".encode()
METHODS = st.sampled_from(
    [
        b"GET",
        b"HEAD",
        b"POST",
        b"DELETE",
        b"OPTIONS",
        b"TRACE",
        b"CONNECT",
        b"PRI",
        b"get",
        b"G\0T",
        b"X" * 9_000,
    ]
)
TARGETS = st.sampled_from(
    [
        b"/status", b"/gaps", b"/intervals?since=0", b"/totals", b"/", b"*", b"//", b"/..//status",
        b"http://[/", b"http://x:99999/", b"/%", b"/%00", b"/%ff", b"/\xff", b"/status#x", b"x:1", b"?", b"",
        b"/status/", b"/gaps?rule=\xff", b"/gaps?\xff=1",
        b"/" + b"a" * 9_000, b"/status?" + b"&" * 8_000,
    ]
)  # fmt: skip
VERSIONS = st.sampled_from(
    [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 x", b""]
)
HEADERS = st.one_of(
    st.sampled_from(
        [
            b"Host: x", b"Host: [", b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade",
            b"Upgrade: websocket", b"Upgrade: h2c", b"Expect: 100-continue", b"Expect: nothing",
            b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 9" + b"9" * 5_000,
            b"Transfer-Encoding: chunked", b"Transfer-Encoding: x, chunked", b"Content-Encoding: gzip",
            b"Content-Encoding: br", b"Content-Type: multipart/form-data; boundary=", b"Cookie: =;=\xff",
            b"Range: bytes=9-1", b"If-Modified-Since: Wed, 99 Nov 99999 99:99:99 GMT", b"X: " + b"y" * 70_000,
            b" folded", b": x", b"\r\n".join([b"A: b"] * 150), f"Authorization: {SECRET}".encode(),
        ]
    ),
    st.binary(max_size=20),
)  # fmt: skip
BODIES = st.sampled_from([b"", b"12345", b"5\r\n12345\r\n0\r\n\r\n", b"-5\r\n", b"f" * 70_000, b"5\r\n1"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request of any odd parts; now and then without its end."""
    lines = [b" ".join([draw(METHODS), draw(TARGETS), draw(VERSIONS)]), *draw(st.lists(HEADERS, max_size=4))]
    return b"\r\n".join(lines) + draw(st.sampled_from([b"\r\n\r\n", b"\r\n", b""])) + draw(BODIES)


ANY = st.one_of(
    requests(),
    requests(),
    mangled(WHOLE * 2),
    st.binary(max_size=40),
    st.sampled_from([b"", b"\r\n" * 1_000, b"\0" * 5_000, WHOLE * 200, WHOLE[:-2] + b"x: y\r\n" * 20_000]),
)


@st.composite
def in_pieces(draw: st.DrawFn) -> list[bytes]:
    content, pieces = draw(ANY), []
    for size in draw(st.lists(st.integers(1, 200), max_size=4)):
        pieces.append(content[:size])
        content = content[size:]
    return [*pieces, content]


@examples(15)
@given(clients=st.lists(in_pieces(), min_size=1, max_size=16))
def test_any_bytes_are_answered_or_closed_and_nothing_is_logged(
    place: Place, clients: list[list[bytes]]
) -> None:
    async def talk() -> list[bytes]:
        return await asyncio.gather(*map(place.exchange, clients))

    for answer in place.with_server(talk):
        assert answer == b"" or answer.startswith(b"HTTP/")
        assert b" 500 " not in answer.partition(b"\r\n")[0]


def test_three_hundred_who_never_end_their_requests_are_closed_and_hold_up_nobody(place: Place) -> None:
    async def talk() -> list[bytes]:
        silent = [asyncio.create_task(place.exchange([WHOLE[: n % len(WHOLE)]])) for n in range(300)]
        assert (await place.get("/totals"))[0] == 200
        return await asyncio.gather(*silent)

    assert place.with_server(talk) == [b""] * 300


# ---- parameters

NAMES = st.sampled_from([b"connection", b"rule", b"since", b"until"])
NUMBERS = st.one_of(st.floats(), st.integers(-(10**30), 10**30), st.floats(0, 300)).map(
    lambda n: str(n).encode()
)
TIMES = st.sampled_from(
    [
        b"2026-11-23", b"2026-11-23T10:00:00Z", b"2026-11-23T10:00:00+99:99", b"0001-01-01T00:00:00+23:59",
        b"9999-12-31T23:59:59-23:59", b"2026-W48", b"20261123", b"2026-13-40", b"1_0", b"1e400", b"-0",
        b"0x10", b"\xd9\xa1", b"9" * 999, b"253402300799.9", b"infinity", b"nAn", b"10:00", b"T", b" 1 ",
    ]
)  # fmt: skip
VALUES = st.one_of(
    NUMBERS,
    TIMES,
    st.sampled_from(
        [b"track:0", b"track:0.2", b"1", RULE.key.encode(), b"' OR 1 --", b"\0", b"1\0", b"\xff", b""]
    ),
    st.sampled_from([b"\xed\xa0\x80", b"\xf0\x9f\x90\x9d", b"x" * 1_001, b"x" * 1_800]),
    st.binary(max_size=8),
)
PARAMETERS = st.one_of(
    st.tuples(NAMES, VALUES),
    st.tuples(NAMES, VALUES),
    st.tuples(st.binary(max_size=6), VALUES),
).map(lambda pair: "=".join(map(quote_from_bytes, pair)))
BROKEN = st.sampled_from(
    ["%", "%zz=1", "since=%f", "rule=%u1234", "=", "&", ";", "since", "a[]=1", "?", "rule=1&" * 250]
)
QUERIES = st.lists(st.one_of(PARAMETERS, PARAMETERS, BROKEN), max_size=4).map("&".join)
ENDPOINTS = st.sampled_from(
    ["/api/gaps", "/api/intervals", "/api/totals", "/gaps", "/intervals", "/totals", "/api/status", "/gap"]
)


@examples(60)
@given(targets=st.lists(st.tuples(ENDPOINTS, QUERIES), min_size=1, max_size=8))
def test_any_parameters_are_answered_in_json_or_refused_with_a_sentence(
    place: Place, targets: list[tuple[str, str]]
) -> None:
    async def talk() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(place.get(f"{path}?{query}") for path, query in targets))

    for status, body in place.with_server(talk):
        assert status in (200, 400, 404), body
        lines = [json.loads(line, parse_constant=pytest.fail) for line in body.splitlines()]
        assert status == 200 or lines[0]["detail"]
        assert len(body) < 2_000
        assert SECRET.encode() not in body


def test_an_error_of_the_supervisor_itself_is_for_its_log_alone(place: Place) -> None:
    def fail() -> dict[str, Any]:
        raise RuntimeError(f"with {SECRET}")

    async def talk() -> tuple[int, bytes]:
        place.status = fail
        try:
            return await place.get("/status")
        finally:
            place.status = Place.status
            assert "a control request failed" in place.records.told.pop()

    status, body = place.with_server(talk)
    assert status == 500
    assert SECRET.encode() not in body
