"""A connection to a sandbox that a thread reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import orjson
import requests

from support.waiting import DEADLINE_S, wait_for


class StreamReader:
    """Sends one request and takes what is answered as it comes."""

    def __init__(self, method: str, url: str, **request: Any) -> None:
        self.chunks: list[bytes] = []
        self.error: Exception | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.response = self._session.request(method, url, stream=True, timeout=DEADLINE_S, **request)
        self.status = self.response.status_code
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for chunk in self._pieces():
                self.chunks.append(chunk)
        except Exception as problem:
            self.error = problem

    def _pieces(self) -> Iterator[bytes]:
        return iter(lambda: self.response.raw.read1(65_536, decode_content=True), b"")

    @property
    def data(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def lines(self) -> list[bytes]:
        """All complete messages so far."""
        return [line for line in self.data.split(b"\r\n")[:-1] if line]

    @property
    def messages(self) -> list[Any]:
        return [orjson.loads(line) for line in self.lines]

    @property
    def tweet_ids(self) -> list[str]:
        """The ids of tweets of v1.1."""
        return [message["id_str"] for message in self.messages if "id_str" in message]

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def wait_for_end(self) -> None:
        wait_for(lambda: self.has_ended, "the end of the stream")

    def close(self) -> None:
        if not self.has_ended:
            self.response.raw.shutdown()
        self._thread.join()
        self.response.close()
        self._session.close()
