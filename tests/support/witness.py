"""Another connection of an app, read by plain means."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress

import requests
import urllib3


class Witness:
    """Reads what the server sends to it, until it is closed."""

    def __init__(self, url: str, token: str, query: Mapping[str, str]) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._answer = self._session.get(
            f"{url}/2/tweets/search/stream",
            params=query,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            stream=True,
            timeout=60,
        )
        self._pieces: list[bytes] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with suppress(urllib3.exceptions.ProtocolError):  # it is closed within the body
            self._pieces.extend(iter(lambda: self._answer.raw.read1(65_536), b""))

    @property
    def content_type(self) -> str:
        """What the answer says of its content."""
        return str(self._answer.headers["Content-Type"])

    @property
    def lines(self) -> list[bytes]:
        return [line for line in b"".join(self._pieces).split(b"\r\n")[:-1] if line]

    def close(self) -> None:
        with suppress(RuntimeError, OSError):  # the server ended it, before or in this moment
            self._answer.raw.shutdown()
        self._thread.join()
        self._answer.close()
        self._session.close()


def native(line: bytes) -> bytes:
    """A delivered line as it came."""
    before, mark, _ = line.rpartition(b',"traptor":{')
    assert mark
    return before + b"}"
