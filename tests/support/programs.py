"""Programs of ours in processes of their own, forked from one that has imported what they need."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from support.waiting import DEADLINE_S
from traptor.sandbox.process import SandboxProcess

_FORKS = Path(__file__).with_name("forks.py")


class Program:
    """A running program, as `subprocess.Popen` has it."""

    def __init__(self, programs: Programs, pid: int, stdout: IO[str] | None, stderr: IO[str] | None) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = stdout
        self._stderr = stderr
        self._programs = programs
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                self.returncode = self._programs.ask({"poll": self.pid})
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.poll() is None:
            with os.fdopen(os.pidfd_open(self.pid)) as ended:
                select.select([ended], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Its end, and what it said that nobody has read; a few lines at most."""
        self.wait(timeout)
        said = ["", ""]
        for number, stream in enumerate((self.stdout, self._stderr)):
            if stream is not None:
                with stream:
                    said[number] = stream.read()
        return said[0], said[1]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Programs:
    """Starts programs; a context manager that ends what starts them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asks, orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with orders:
            self._forks = subprocess.Popen(
                [sys.executable, str(_FORKS), str(orders.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[orders.fileno()],
            )

    def __enter__(self) -> Programs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asks.close()
        self._forks.wait(DEADLINE_S)

    def ask(self, order: dict[str, Any], streams: Sequence[int] = ()) -> Any:
        """The answer to an order that comes with these descriptors."""
        with self._lock:
            socket.send_fds(self._asks, [json.dumps(order).encode()], streams)
            return json.loads(self._asks.recv(4096))

    def start(
        self,
        program: Sequence[str],
        stdout: int,
        stderr: int,
        said: tuple[IO[str] | None, IO[str] | None] = (None, None),
        environ: Mapping[str, str] | None = None,
    ) -> Program:
        """Start `-m MODULE ...` or `SCRIPT ...` with these descriptors, whose other ends are `said`."""
        environment = {**os.environ, **(environ or {})}
        order = {"program": list(program), "folder": str(Path.cwd()), "environment": environment}
        with Path(os.devnull).open() as nothing:
            pid = self.ask(order, [nothing.fileno(), stdout, stderr])
        return Program(self, pid, *said)

    def run(
        self, program: Sequence[str], environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What came of a program, and what it said."""
        with tempfile.TemporaryFile("r+") as out, tempfile.TemporaryFile("r+") as err:
            running = self.start(program, out.fileno(), err.fileno(), environ=environ)
            code = running.wait(DEADLINE_S)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(program), code, out.read(), err.read())


class ForkedSandbox(SandboxProcess):
    """The sandbox as a program of ours."""

    def __init__(self, programs: Programs, *options: str) -> None:
        super().__init__(*options)
        self._programs = programs

    def _spawn(self, command: list[str]) -> Any:
        out, to_out = os.pipe()
        err, to_err = os.pipe()
        try:
            return self._programs.start(command[1:], to_out, to_err, (os.fdopen(out), os.fdopen(err)))
        finally:
            os.close(to_out)
            os.close(to_err)
