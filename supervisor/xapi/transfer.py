"""Send a file to an address that X named, or read one from there, without showing the address."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import IO

import aiohttp
from yarl import URL

from traptor.supervisor.xapi.exchange import text_soon
from traptor.supervisor.xapi.failures import BadAnswer, ServerTrouble, XFailure
from traptor.supervisor.xapi.problems import failure_of
from traptor.supervisor.xapi.quota import quota_of
from traptor.supervisor.xapi.steplimit import STEP_BYTES, StepLimit

WITHIN_S = 60.0  # for the connect and the answer's headers together, and for each step of a file
_MOST_LINE_BYTES = 1 << 16
_NO_OTHER = aiohttp.ClientTimeout(total=None)  # time limit than ours


class Transfer:
    """Transfers over a session of Exchange's kind.

    The bearer token goes to X's own server alone; X once named addresses of a storage that must not get it.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        bearer_token: str,
        proxy: str | None,
        within_s: float = WITHIN_S,
    ) -> None:
        self._session = session
        self._api = URL(api_url).origin()
        self._authorization = f"Bearer {bearer_token}"
        self._proxy = proxy
        self._within_s = within_s

    async def send(self, what: str, address: str, file: IO[bytes]) -> None:
        """PUT a file of text, and leave it open; `what` names the request in messages. Raises XFailure."""
        url = self._checked(what, address)
        size_bytes = file.seek(0, os.SEEK_END)
        headers = {"Content-Type": "text/plain", "Content-Length": str(size_bytes), **self._headers(url)}
        failure: XFailure | None = None
        try:
            async with (
                asyncio.timeout(self._within_s) as limit,
                self._session.put(
                    url,
                    data=self._pieces(file, limit),
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                    timeout=_NO_OTHER,
                ) as response,
            ):
                failure = await _refusal(what, response)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            failure = self._trouble(what, error)
        if failure is not None:
            raise failure

    async def lines(self, what: str, address: str) -> AsyncIterator[bytes]:
        """Yield the lines of a file. Raises XFailure, also after some lines."""
        url = self._checked(what, address)
        failure: XFailure | None = None
        try:
            async with asyncio.timeout(self._within_s):
                opened = await self._session.get(
                    url,
                    headers={**self._headers(url), "Accept-Encoding": "identity"},
                    allow_redirects=False,
                    proxy=self._proxy,
                    timeout=_NO_OTHER,
                )
            async with opened as response:
                failure = await _refusal(what, response)
                if failure is None:
                    async for line in _lines(what, response, StepLimit(self._within_s)):
                        yield line
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._trouble(what, error)
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

    async def _pieces(self, file: IO[bytes], limit: asyncio.Timeout) -> AsyncIterator[bytes]:
        """Yield the file's pieces; each is asked for when the one before it is on its way."""
        file.seek(0)
        while piece := file.read(STEP_BYTES):
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time() + self._within_s)
            yield piece

    def _trouble(self, what: str, error: Exception) -> XFailure:
        """Return the failure for an error, whose own text may hold the address."""
        if isinstance(error, TimeoutError):
            pace = f"less than {STEP_BYTES >> 10} KiB within {self._within_s:g} s"
            return ServerTrouble(f"{what}: the transfer is too slow: {pace}")
        return ServerTrouble(f"{what}: the transfer broke off: {type(error).__name__}")


async def _refusal(what: str, response: aiohttp.ClientResponse) -> XFailure | None:
    if 200 <= response.status < 300:
        return None
    return failure_of(what, response.status, await text_soon(response), quota_of(response.headers))


async def _lines(what: str, response: aiohttp.ClientResponse, limit: StepLimit) -> AsyncIterator[bytes]:
    rest = b""
    while piece := await limit.next(response.content.readany):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > _MOST_LINE_BYTES:
            raise BadAnswer(f"{what}: a line is longer than any that the documents give")
    if rest:
        yield rest
