"""The sandbox as a child process, for tests and the demo."""

from __future__ import annotations

import selectors
import subprocess
import sys
from types import TracebackType

from traptor.sandbox.client import SandboxClient
from traptor.sandbox.errors import Unreachable

_START_S = 90.0  # on a machine that may be busy
_STOP_S = 10.0
_GREETING = "sandbox listening on "
_TLS_GREETING = "by TLS on "


class SandboxProcess:
    """Runs `traptor-sandbox --port 0` with more options; a context manager that ends it."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.url = self.tls_url = ""

    @property
    def client(self) -> SandboxClient:
        """A client of the running sandbox's API."""
        return SandboxClient(self.url)

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> SandboxProcess:
        """Start it and wait until it listens. Raises Unreachable with the process's error output."""
        command = [sys.executable, "-m", "traptor.sandbox", "--port", "0", *self._options]
        self._process = self._spawn(command)
        line = self._first_line()
        if not line.startswith(_GREETING):
            self._process.kill()
            _, said = self._process.communicate()
            raise Unreachable(f"the sandbox did not start: {said.strip() or 'it said nothing'}")
        self.url = line.removeprefix(_GREETING).strip()
        if "--tls" in self._options:
            assert self._process.stdout is not None
            self.tls_url = self._process.stdout.readline().removeprefix(_TLS_GREETING).strip()
        return self

    def stop(self) -> int:
        """Stop it by TERM, or by KILL when that takes too long; return its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            self._process.communicate(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        return self._process.returncode

    def __enter__(self) -> SandboxProcess:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # what stops the parent's group does not reach it; the parent ends it
        )

    def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(_START_S):
                return ""
        return self._process.stdout.readline()
