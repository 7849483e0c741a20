"""`traptor-supervisor` as a child process of a trial."""

from __future__ import annotations

import signal
import subprocess
import sys

from trial.folder import TrialFolder
from trial.interrupt import out_of_reach


class Supervisor:
    """Runs with the folder's ini; after a kill it can be started again."""

    def __init__(self, folder: TrialFolder) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with the folder's ini."""
        self._folder.logs.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "traptor.supervisor", "-c", str(self._folder.ini)]
        with self._folder.stderr.open("ab") as stderr, out_of_reach():
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def reload(self) -> None:
        """Ask it to reload its settings."""
        self._send(signal.SIGHUP)

    def pause(self) -> None:
        """Suspend it."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        self._send(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to drain and stop."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it; its workers go with it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Return what it printed on stderr."""
        try:
            return self._folder.stderr.read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
