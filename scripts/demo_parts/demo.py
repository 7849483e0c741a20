"""One run of the demo: start, collect, change rules on the way, end in order, and judge."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from demo_parts.folder import DemoFolder
from demo_parts.interrupt import Interrupt
from demo_parts.logtail import LogTail
from demo_parts.picture import Show
from demo_parts.servers import CHANGED_GROUP, Servers, Supervisor
from demo_parts.summary import Replacement, Summary
from demo_parts.view import StatusReader

_CONNECTIONS = {"follow:0", "follow:0.2", CHANGED_GROUP}
_START_S = 60.0
_REFRESH_S = 30.0
_READ_ON_S = 20.0
_STOP_S = 45.0  # more than the supervisor's own drain_timeout
_FIRST_CHANGE_S, _CHANGE_INTERVAL_S = 10.0, 60.0  # when it runs until Ctrl-C


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    output: Path | None
    seconds: float | None  # of collecting, from when all connections stream; None: until Ctrl-C
    rate: float  # tweets a second
    seed: int


class Demo:
    """Runs once; `show` shows it meanwhile."""

    def __init__(self, options: Options, folder: DemoFolder, interrupt: Interrupt, show: Show) -> None:
        self._options = options
        self._folder = folder
        self._interrupt = interrupt
        self._show = show
        self._status = StatusReader(folder.run / "status.json")
        self._log = LogTail(folder.logs / "supervisor.log")
        self._supervisor = Supervisor(folder)
        self._doing = "starting"
        self._collects_since: float | None = None
        self._next_change_s = _FIRST_CHANGE_S if options.seconds is None else options.seconds / 3
        self._first_pids: dict[str, int] = {}
        self._pids_before: dict[str, int] | None = None  # while a change is on its way
        self._replacements: list[Replacement] = []
        self._failures: list[str] = []

    def run(self) -> Summary | None:
        """The summary; None when it was ended before anything was collected."""
        self._show.say("starting Redis and a local Twitter")
        with Servers(self._folder, self._options.rate, self._options.seed) as servers:
            try:
                return self._run(servers)
            finally:
                self._supervisor.end()

    def _run(self, servers: Servers) -> Summary | None:
        self._servers = servers
        servers.load_rules()
        servers.write_ini()
        self._show.say(f"rules loaded; starting traptor-supervisor -c {self._folder.ini}")
        if self._interrupt.asked:
            return None
        self._supervisor.start()
        if self._wait(self._all_stream, _START_S):
            self._collect()
        elif not self._interrupt.asked:
            self._failures.append(f"not all connections stream after {_START_S:g} s")
        return self._end()

    # ---- collecting

    def _all_stream(self) -> bool:
        return set(self._view.pids()) == _CONNECTIONS

    def _collect(self) -> None:
        self._collects_since = time.monotonic()
        self._first_pids = self._view.pids()
        self._doing = "collecting"
        while not self._is_over():
            until_s = min(self._next_change_s, self._options.seconds or self._next_change_s)
            self._wait(lambda until_s=until_s: self._elapsed_s() >= until_s, until_s)  # type: ignore[misc]
            if self._elapsed_s() >= self._next_change_s and not self._is_over():
                self._change_rules()
        if not self._wait(lambda: self._pids_before is None, _REFRESH_S) and not self._interrupt.asked:
            self._failures.append(
                f"{CHANGED_GROUP} has no new worker {_REFRESH_S:g} s after its rules changed"
            )
