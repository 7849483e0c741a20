"""The sandbox in a thread of this process: starts in milliseconds, for tests that do not fork."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType

from traptor.sandbox.client import SandboxClient
from traptor.sandbox.errors import Unreachable
from traptor.sandbox.server import Sandbox
from traptor.sandbox.v1.settings import Settings

_START_S = 30.0


class SandboxThread:
    """Runs a sandbox with its own event loop; a context manager that ends it.

    `make` builds it inside the thread, by default from the settings alone.
    """

    def __init__(
        self, settings: Settings | None = None, make: Callable[[Settings], Sandbox] = Sandbox
    ) -> None:
        self._settings = settings or Settings()
        self._make = make
        self._thread = threading.Thread(target=self._run, name="sandbox")
        self._is_up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._problem: Exception | None = None
        self.url = self.tls_url = ""

    @property
    def client(self) -> SandboxClient:
        """A client of the running sandbox's API."""
        return SandboxClient(self.url)

    def start(self) -> SandboxThread:
        """Start it and wait until it listens. Raises Unreachable with the reason."""
        self._thread.start()
        self._is_up.wait(_START_S)
        if not self.url:
            raise Unreachable(f"the sandbox did not start: {self._problem or 'it takes too long'}")
        return self

    def stop(self) -> None:
        """End all streams and wait for the thread. Raises whatever ended the sandbox early."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def __enter__(self) -> SandboxThread:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as problem:  # noqa: BLE001 - shown by start() or stop(), in the caller's thread
            self._problem = problem
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        sandbox = self._make(self._settings)
        await sandbox.start()
        self.url, self.tls_url = sandbox.url, sandbox.tls_url
        self._is_up.set()
        try:
            await sandbox.run(self._stop)
        finally:
            await sandbox.stop()
