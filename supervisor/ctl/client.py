"""Talk to a supervisor through its control socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from traptor.common.errors import ExitCode, TraptorError

_ANSWER_S = 60.0


class NotRunning(TraptorError):
    """No supervisor answers on the socket."""

    exit_code = ExitCode.NOT_RUNNING


class NobodyThere(NotRunning):
    """Nothing listens on the socket, or there is none: no supervisor runs."""


class ErrorAnswer(TraptorError):
    """The supervisor answered with an error."""


class Client:
    """One supervisor's API. Every method raises NotRunning and ErrorAnswer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, *parts: str, **parameters: str) -> Any:
        """Return the JSON value at the path of these parts below /api."""
        with self._asked("GET", parts, parameters, None) as response:
            return json.load(response)

    def post(self, *parts: str, body: Mapping[str, Any] | None = None) -> Any:
        """Have something done; return the JSON value of the answer."""
        with self._asked("POST", parts, {}, body or {}) as response:
            return json.load(response)

    def lines(self, *parts: str, **parameters: str) -> Generator[bytes]:
        """Yield the lines of an answer as they come, without their ends; it may go on for ever."""
        with self._asked("GET", parts, parameters, None) as response:
            for line in response:
                yield line.rstrip(b"\n")

    @contextmanager
    def _asked(
        self, method: str, parts: tuple[str, ...], parameters: Mapping[str, str], body: object
    ) -> Iterator[http.client.HTTPResponse]:
        target = "/".join(["/api", *(quote(part, safe="") for part in parts)])
        connection = _UnixConnection(self.path)
        try:
            data = None if body is None else json.dumps(body)
            headers = {} if data is None else {"Content-Type": "application/json"}
            connection.request(method, f"{target}?{urlencode(parameters)}", data, headers)
            response = connection.getresponse()
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                raise ErrorAnswer(_problem(response.read(), response.status))
            yield response
        except (OSError, http.client.HTTPException) as error:
            is_gone = isinstance(error, (FileNotFoundError, ConnectionRefusedError))
            raise (NobodyThere if is_gone else NotRunning)(self._silence(error)) from None
        finally:
            connection.close()

    def _silence(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"{self.path}: no answer within {_ANSWER_S:g} s; see supervisor.log, or ask again"
            case PermissionError():
                return f"{self.path}: you may not use it; join the group that owns it, or become its owner"
            case _ if self.path.exists() and not self.path.is_socket():
                return f"{self.path}: is not a socket; name a supervisor's control.sock, or its ini with -c"
            case FileNotFoundError():
                why = "there is no such socket, so no supervisor runs there"
            case _:
                why = f"no supervisor answers ({error})"
        return f"{self.path}: {why}; start one with traptor-supervisor -c FILE, or name another with --socket"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_ANSWER_S)
        self.sock.connect(str(self._path))


def _problem(body: bytes, status: int) -> str:
    """Return what a problem document (RFC 9457) says."""
    try:
        problem = json.loads(body)
        return "; ".join([problem["detail"], *problem.get("errors", ())])
    except (ValueError, TypeError, KeyError):
        return f"the supervisor answered {status}"
