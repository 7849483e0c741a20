"""Send a file to an address that X named, or read one from there, without showing the address."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import IO

import aiohttp
from yarl import URL

from traptor.supervisor.xapi.failures import BadAnswer, ServerTrouble, XFailure
from traptor.supervisor.xapi.problems import failure_of
from traptor.supervisor.xapi.quota import quota_of

_SILENCE_S = 60.0
_PIECE_BYTES = 1 << 18
_SAID_BYTES = 4096
_MOST_LINE_BYTES = 1 << 16


class Transfer:
    """Transfers over a session of Exchange's kind.

    The bearer token goes to X's own server alone; X once named addresses of a storage that must not get it.
    """

    def __init__(
        self, session: aiohttp.ClientSession, api_url: str, bearer_token: str, proxy: str | None
    ) -> None:
        self._session = session
        self._api = URL(api_url).origin()
        self._authorization = f"Bearer {bearer_token}"
        self._proxy = proxy

    async def send(self, what: str, address: str, file: IO[bytes]) -> None:
        """PUT a file of text, and leave it open; `what` names the request in messages. Raises XFailure."""
        url = self._checked(what, address)
        size_bytes = file.seek(0, os.SEEK_END)
        headers = {"Content-Type": "text/plain", "Content-Length": str(size_bytes), **self._headers(url)}
        failure: XFailure | None = None
        try:
            async with self._session.put(
                url,
                data=_pieces(file),
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=_limits(),
            ) as response:
                failure = await _refusal(what, response)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            failure = _trouble(what, error)
        if failure is not None:
            raise failure

    async def lines(self, what: str, address: str) -> AsyncIterator[bytes]:
        """Yield the lines of a file. Raises XFailure, also after some lines."""
        url = self._checked(what, address)
        failure: XFailure | None = None
        try:
            async with self._session.get(
                url,
                headers={**self._headers(url), "Accept-Encoding": "identity"},
                allow_redirects=False,
                proxy=self._proxy,
                timeout=_limits(),
            ) as response:
                failure = await _refusal(what, response)
                if failure is None:
                    async for line in _lines(what, response):
                        yield line
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _trouble(what, error)
        if failure is not None:
            raise failure

    def _checked(self, what: str, address: str) -> URL:
        try:
            url = URL(address, encoded=True)  # it is signed as it stands
            is_safe = bool(url.host) and (url.scheme == "https" or url.origin() == self._api)
        except ValueError:
            is_safe = False
        if not is_safe:
            raise BadAnswer(f"{what}: X named an address that cannot be used safely")
        return url

    def _headers(self, url: URL) -> dict[str, str]:
        return {"Authorization": self._authorization} if url.origin() == self._api else {}


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _limits() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_S, sock_read=_SILENCE_S)


async def _refusal(what: str, response: aiohttp.ClientResponse) -> XFailure | None:
    if 200 <= response.status < 300:
        return None
    raw = await response.content.read(_SAID_BYTES)
    return failure_of(what, response.status, raw, quota_of(response.headers))


async def _lines(what: str, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in response.content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > _MOST_LINE_BYTES:
            raise BadAnswer(f"{what}: a line is longer than any that the documents give")
    if rest:
        yield rest


def _trouble(what: str, error: Exception) -> XFailure:
    """Return the failure for an error, whose own text may hold the address."""
    return ServerTrouble(f"{what}: the transfer broke off: {type(error).__name__}")
