"""Asks a supervisor through its control socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from support.waiting import DEADLINE_S


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(self._path))


def get(path: Path, target: str) -> tuple[int, bytes]:
    """Status and body of the answer to one GET."""
    return ask(path, "GET", target)


def post(path: Path, target: str, body: object = None) -> tuple[int, Any]:
    """Status and JSON of the answer to one POST."""
    status, answer = ask(path, "POST", target, b"" if body is None else json.dumps(body).encode())
    return status, json.loads(answer)


def ask(path: Path, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of the answer to one request."""
    connection = _UnixConnection(path)
    try:
        connection.request(method, target, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def lines(path: Path, endpoint: str, **parameters: object) -> list[dict[str, Any]]:
    """The JSON lines of an answer."""
    status, body = get(path, f"/api/{endpoint}?{urlencode(parameters)}")
    assert status == 200, body
    return [json.loads(line) for line in body.splitlines()]
