"""Stands between us and the sandbox: keeps what was asked and answered, and stops at a chosen request."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from support.waiting import DEADLINE_S

_STREAM = "/2/tweets/search/stream"
_RULES = f"{_STREAM}/rules"


class Moment(Enum):
    """The sides of a request at which everything can stop."""

    BEFORE = "before"  # X never gets it
    AFTER = "after"  # X carries it out, and nobody hears of it


@dataclass(frozen=True)
class _Stop:
    """One request that is not answered, from 1 on."""

    number: float
    moment: Moment
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class XGate:
    """Passes on what is no stream, up to that request; `url` is where to ask.

    `exchanged` has the answers of the sandbox, each with the request for it as it came.
    """

    def __init__(self, x_url: str) -> None:
        self.exchanged: list[requests.Response] = []
        self._lock = threading.Lock()
        self._asked = 0
        self._stop = _Stop(math.inf, Moment.BEFORE)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(x_url, self._arrived, self.exchanged))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop_at(self, number: int, moment: Moment) -> None:
        """Count the requests for filters from 1 again, and stop at this one."""
        with self._lock:
            self._stop.released.set()
            self._asked, self._stop = 0, _Stop(number, moment)

    def wait_stopped(self) -> None:
        """Wait until that request is here and, where it is passed on, carried out."""
        assert self._stop.reached.wait(DEADLINE_S), f"request {self._stop.number} does not come"

    def close(self) -> None:
        self._stop.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _arrived(self, path: str) -> _Stop | None:
        """Return where a request stays; None: it passes."""
        with self._lock:
            self._asked += path == _RULES
            if path == _RULES and self._asked == self._stop.number:
                return self._stop
            is_late = path == _STREAM or self._asked > self._stop.number
            return replace(self._stop, moment=Moment.BEFORE, reached=threading.Event()) if is_late else None


def _handler(
    x_url: str, arrived: Callable[[str], _Stop | None], exchanged: list[requests.Response]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stop = arrived(self.path.partition("?")[0])
            if stop is None or stop.moment is Moment.AFTER:
                answer = _passed_on(self, x_url, body)
                exchanged.append(answer)
            if stop is not None:
                stop.reached.set()
                stop.released.wait()
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 # the names that the library calls

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    return Handler


def _passed_on(request: BaseHTTPRequestHandler, x_url: str, body: bytes) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        headers = {name: text for name, text in request.headers.items() if name.lower() != "host"}
        return session.request(
            request.command, f"{x_url}{request.path}", data=body, headers=headers, timeout=DEADLINE_S
        )
