"""One HTTP request to X and its answer: within limits of time and size, and without a trace of the secret."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import msgspec

from traptor.supervisor.xapi.failures import BadAnswer, ServerTrouble, XFailure
from traptor.supervisor.xapi.problems import failure_of
from traptor.supervisor.xapi.quota import Quota, quota_of

TIMEOUT_S = 30.0  # of a request from the connect to the last byte
_SAY_ALL = frozenset({401, 403})  # statuses whose text is awaited for a moment only
_TEXT_WITHIN_S = 1.0
_TEXT_BYTES = 4096
_MAX_ANSWER_BYTES = 32 << 20  # a thousand filters of 2,048 characters, escaped, are 12 MiB
_MAX_HEADER_BYTES = 16 << 10
_PIECE_BYTES = 1 << 16
_NO_SOCKS = "X can be asked through HTTP proxies only, other than by the stream; give the key an HTTP proxy"
_SECRET_BYTES = 8  # anything shorter may stand in an answer by chance

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: `name` stands for it in messages."""

    name: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None  # as JSON
    form: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status."""

    status: int
    quota: Quota
    raw: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """True when the status is 2xx; X answers some requests with 201 where the documents say 200."""
        return 200 <= self.status < 300


class Exchange:
    """Asks X with one app's credentials, which appear in no message, log line or traceback."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, proxy: str | None = None) -> None:
        self._session = session
        self._api_url = api_url.rstrip("/")
        self._proxy = proxy
        self._is_socks = proxy is not None and proxy.startswith("socks")

    async def ask(self, ask: Ask, authorization: str, timeout_s: float = TIMEOUT_S) -> Reply:
        """Return the answer, whatever its status. Raises ServerTrouble and BadAnswer."""
        if self._is_socks:
            raise ServerTrouble(f"{ask.name}: {_NO_SOCKS}")
        # Errors of aiohttp hold the request with its headers. None of them is kept as a cause or context.
        reply, failure = await self._tried(ask, authorization, timeout_s)
        if failure is not None:
            raise failure
        assert reply is not None
        return reply

    async def _tried(
        self, ask: Ask, authorization: str, timeout_s: float
    ) -> tuple[Reply | None, XFailure | None]:
        try:
            return await self._exchanged(ask, authorization, timeout_s), None
        except TimeoutError:
            return None, ServerTrouble(f"{ask.name}: X did not answer within {timeout_s:g} s")
        except _TooLarge:
            return None, BadAnswer(f"{ask.name}: the answer is larger than {_MAX_ANSWER_BYTES >> 20} MiB")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, ServerTrouble(f"{ask.name}: X cannot be asked: {_named(error)}")

    async def _exchanged(self, ask: Ask, authorization: str, timeout_s: float) -> Reply:
        headers = {
            "Authorization": authorization,
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # else a small answer might unfold into a large one
        }
        async with self._session.request(
            ask.method,
            f"{self._api_url}{ask.path}",
            params=ask.query,
            data=dict(ask.form) if ask.form else _encoded(ask.body),
            headers=headers | ({"Content-Type": "application/json"} if ask.body is not None else {}),
            allow_redirects=False,  # the secret is for this server alone
            proxy=self._proxy,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        ) as response:
            read = text_soon if response.status in _SAY_ALL else _read
            raw = _without(authorization, await read(response))
            return Reply(response.status, quota_of(response.headers), raw)


def decoded(ask: Ask, reply: Reply, form: type[T]) -> T:
    """Return the body of a success in its form. Raises the error that the answer stands for."""
    if not reply.is_success:
        raise failure_of(ask.name, reply.status, reply.raw, reply.quota)
    try:
        return msgspec.json.decode(reply.raw, type=form, strict=False)
    except msgspec.ValidationError as error:
        # Its text may quote whatever stands at the place that it names.
        place = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the top"
        why = f"a wrong value at {place[:100]}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        why = "it is not the JSON that the documents give"
    raise BadAnswer(f"{ask.name}: the answer cannot be read: {why}", reply.quota)


def x_session(tls: ssl.SSLContext | None = None, source_address: str | None = None) -> aiohttp.ClientSession:
    """Return a session for an Exchange: no cookies, no settings from the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=tls or True, local_addr=(source_address, 0) if source_address else None, limit=4
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )


class _TooLarge(Exception):
    """The answer is longer than any that X could mean."""


async def text_soon(response: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of a refusal's text, as far as it comes within a moment: its status is enough."""
    raw = b""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_TEXT_WITHIN_S):
            while len(raw) < _TEXT_BYTES and (piece := await response.content.read(_TEXT_BYTES - len(raw))):
                raw += piece
    return raw


async def _read(response: aiohttp.ClientResponse) -> bytes:
    pieces = bytearray()
    async for piece in response.content.iter_chunked(_PIECE_BYTES):
        pieces += piece
        if len(pieces) > _MAX_ANSWER_BYTES:
            raise _TooLarge
    return bytes(pieces)


def _without(authorization: str, raw: bytes) -> bytes:
    """Return an answer without the credentials, which a server or proxy may repeat in an error."""
    secret = authorization.partition(" ")[2].encode()
    return raw.replace(secret, b"***") if len(secret) >= _SECRET_BYTES else raw


def _encoded(body: Any) -> bytes | None:
    return None if body is None else msgspec.json.encode(body)


def _named(error: Exception) -> str:
    """Name an error without its text, which may hold the request."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}, {error.strerror}"
    return type(error).__name__
