"""A stream that a thread reads, from a server that sends what it is told to."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from support.answers import CONNECT, SETTINGS
from support.rawserver import RawServer
from support.waiting import DEADLINE_S, wait_for
from traptor.common.birth import WorkerSettings
from traptor.common.messages import Disconnected
from traptor.worker.stream.v1 import V1Stream

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


class StreamClient:
    """Its answer begins with `head`; `send` adds to it."""

    def __init__(
        self,
        head: bytes = HEAD + CHUNKED,
        settings: WorkerSettings = SETTINGS,
        server_tls: ssl.SSLContext | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.lines: list[bytes] = []
        self.refused: list[Disconnected] = []
        self.handles = threading.Event()  # without it a line is not handled to its end
        self.handles.set()
        self.opened = threading.Event()
        self.ended: Disconnected | None = None
        self._pieces: list[bytes | None] = [head + b"\r\n"]
        self._more = threading.Condition()
        self._server = RawServer(self._answer, server_tls)
        settings = replace(settings, stream_url=self._server.url, stream_ca_file=ca_file)
        self.stream = V1Stream(
            CONNECT,
            settings,
            on_open=self.opened.set,
            on_lines=self._on_lines,
            on_refused=self.refused.append,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, piece: bytes | None) -> None:
        """Send `piece`, and wait until it has come to the client's kernel; None ends the answer."""
        with self._more:
            self._pieces.append(piece)
            self._more.notify_all()
            assert self._more.wait_for(lambda: not self._pieces or self.ended, DEADLINE_S)

    def wait_for_lines(self, count: int) -> None:
        """Wait until so many lines were given on."""
        wait_for(lambda: len(self.lines) >= count, f"{count} lines")
        assert len(self.lines) == count

    def wait_until_caught_up(self) -> None:
        """Wait until all that has come is handled."""
        now = time.monotonic()
        wait_for(lambda: self.stream.handled_until > now, "a reader that waits for more")

    def end(self) -> Disconnected:
        """Wait for the end, and return how it was."""
        self._thread.join(DEADLINE_S)
        assert self.ended is not None
        return self.ended

    def close(self) -> None:
        """End all."""
        self.handles.set()
        self.stream.stop()
        self._thread.join(DEADLINE_S)
        self.send(None)
        self._server.close()

    def _run(self) -> None:
        self.ended = self.stream.run(())

    def _on_lines(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.lines.append(line)
            self.handles.wait(DEADLINE_S)

    def _answer(self, _request: bytes) -> Iterator[bytes]:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._pieces)
                piece = self._pieces[0]
            if piece is None:
                with self._more:
                    del self._pieces[0]
                    self._more.notify_all()
                return
            yield piece
            with self._more:
                del self._pieces[0]
                self._more.notify_all()
