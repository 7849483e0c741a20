"""One soak: start, disturb, let it calm down, stop in order, and judge."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from trial.accounts import make_accounts, write_ini, write_key_file
from trial.clocks import wall_to_mono_s
from trial.evidence import gather, generations
from trial.folder import TrialFolder
from trial.interrupt import Interrupt
from trial.judge import judge
from trial.logtail import LogTail
from trial.measure import Gauge, trends
from trial.rulebook import CONNECTIONS, Rulebook
from trial.servers import Servers
from trial.silences import silences
from trial.slots import LATE_S, Breach, breaches, key_streams, overlaps, worker_ends
from trial.still import Still
from trial.supervisor import Supervisor
from trial.view import StatusReader

from soak_parts.disturber import Disturber
from soak_parts.report import Report
from traptor.supervisor.ledger.answers.accounting import imbalances

_KEYS = 9  # five for the connections, the rest as spares
# A trial that works waits for none of these times to be over, however busy the machine.
_START_S = 180.0
_CALM_S = 180.0
_STILL_S = 3.0  # when no counter moves for this long, everything is read
_READ_ON_S = 120.0
_STOP_S = 90.0  # longer than the supervisor's own drain_timeout
_NOTICE_S = 0.25  # maximum delay of a stream's end, for a server that never waits for a processor
_STALL_TIMEOUT_S = 5
_KEY_FILE = "keys.yml"
# Short waits, so that each kind of trouble occurs many times; budgets that never run out.
_OPTIONS = {
    "supervisor": {"refresh_min_interval": "2s", "restart_backoff_max": "5s", "rules_check_interval": "10s"},
    "twitter": {
        "connects": "100000",
        "connect_rate": "20",
        "stall_timeout": f"{_STALL_TIMEOUT_S}s",
        "http_backoff": "500ms",
        "http_backoff_max": "4s",
        "rate_limit_backoff": "1s",
        "rate_limit_backoff_max": "4s",
    },
    "keys": {"file": _KEY_FILE},
}


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    minutes: float
    rate: float  # tweets per second
    seed: int
    every_s: float  # between disturbances, and between faults of the sandbox
    sample_s: float  # between samples of the master


class Soak:
    """Runs once; `say` receives progress messages."""

    def __init__(
        self, options: Options, folder: TrialFolder, interrupt: Interrupt, say: Callable[[str], None]
    ) -> None:
        self._options = options
        self._folder = folder
        self._interrupt = interrupt
        self._say = say
        self._accounts = make_accounts(_KEYS)
        self._status = StatusReader(folder.run / "status.json")
        self._supervisor = Supervisor(folder)
        self._failures: list[str] = []
        self._disturbances: Counter[str] = Counter()
        self._next_sample = 0.0

    def run(self) -> Report:
        """Return the report, with all children ended. Raises KeyboardInterrupt at the second Ctrl-C."""
        sandbox = ("--rate", str(self._options.rate), "--seed", str(self._options.seed))
        limits = ("--connects", "0", "--keep-alive", "1")
        with Servers(self._folder, self._accounts, *sandbox, *limits) as servers:
            try:
                return self._run(servers)
            finally:
                self._interrupt.be_deaf()
                self._supervisor.kill()

    def _run(self, servers: Servers) -> Report:
        self._servers = servers
        self._rules = Rulebook(servers, self._options.seed)
        self._rules.load()
        write_key_file(self._folder.path / _KEY_FILE, self._accounts)
        twitter = {**_OPTIONS["twitter"], "stream_url": servers.stream_url}
        write_ini(self._folder, servers.redis_url, options={**_OPTIONS, "twitter": twitter})
        self._supervisor.start()
        self._gauge = Gauge(self._supervisor.pid)
        if self._wait(self._all_stream, _START_S):
            self._say("all connections stream")
            self._gauge.samples.clear()  # a start on a busy machine takes long, and is not growth
            self._disturb()
            self._calm_down()
        else:
            self._failures.append(f"not all connections stream after {_START_S:g} s")
        self._stop()
        return self._report()

    def _disturb(self) -> None:
        options = self._options
        disturber = Disturber(
            options.seed,
            options.every_s,
            self._rules,
            self._supervisor,
            self._status,
            self._accounts,
            self._folder.path / _KEY_FILE,
        )
        self._disturbances = disturber.done
        self._servers.sandbox.begin_soak(options.seed, every_s=options.every_s)
        began = time.monotonic()

        def is_over() -> bool:
            elapsed_s = time.monotonic() - began
            if done := disturber.go_on(elapsed_s):
                self._say(f"{elapsed_s:6.1f} s: {done}")
            return elapsed_s >= options.minutes * 60

        self._wait(is_over, options.minutes * 60 + 10)

    def _calm_down(self) -> None:
        self._servers.sandbox.end_soak()
        self._servers.sandbox.clear_faults()
        write_key_file(self._folder.path / _KEY_FILE, self._accounts)
        if not self._wait(self._all_stream, _CALM_S):
            states = ", ".join(f"{c.name} {c.state}" for c in self._status.view.connections)
            self._failures.append(f"not all connections stream {_CALM_S:g} s after the last fault: {states}")

    def _stop(self) -> None:
        """Stop the timeline, then, when everything is read, the supervisor."""
        made = self._servers.sandbox.stop_timeline()
        self._say(f"no more tweets are made; there were {made:,}")
        still = Still(self._counters, _STILL_S)
        self._interrupt.sit_out(lambda: still() and self._is_delivered(), _READ_ON_S)
        self._gauge.sample()
        code_before = self._supervisor.exit_code
        self._supervisor.terminate()
        if code_before is not None:
            words = self._supervisor.last_words()
            self._failures.append(f"traptor-supervisor ended by itself with {code_before}. {words}")
        elif not self._interrupt.sit_out(lambda: self._supervisor.exit_code is not None, _STOP_S):
            self._failures.append(f"traptor-supervisor did not end within {_STOP_S:g} s of TERM")
        elif self._supervisor.exit_code:
            words = self._supervisor.last_words()
            self._failures.append(f"traptor-supervisor ended with {self._supervisor.exit_code}. {words}")
        if orphans := self._gauge.orphans():
            self._failures.append(f"processes left behind: {orphans}")
        self._failures += imbalances(self._folder.state / "ledger.db")

    def _report(self) -> Report:
        log = LogTail(self._folder.logs / "supervisor.log")
        log.read_on()
        evidence = gather(self._servers.sandbox, log.records, self._folder.output, self._rules.history)
        self._failures += [str(breach) for breach in self._breaches(log)]
        strikes = self._servers.sandbox.soak()["strikes"]
        silent = silences(strikes, evidence.streams, _STALL_TIMEOUT_S)
        notice_s = _NOTICE_S * self._servers.slowness
        evidence = replace(evidence, silences=silent, notice_s=notice_s)
        options = self._options
        return Report(
            minutes=options.minutes,
            seed=options.seed,
            rate=options.rate,
            verdict=judge(evidence),
            gaps=evidence.gaps,
            disturbances=self._disturbances,
            strikes=Counter(fault["fault"] for strike in strikes for fault in strike["faults"]),
            generations=Counter(r["why"] for r in log.records if r["message"] == "worker ended"),
            trends=trends(self._gauge.samples),
            failures=self._failures,
            slowness=self._servers.slowness,
        )

    def _breaches(self, log: LogTail) -> list[Breach]:
        """Return connections beyond the limit of their keys; each key of a soak may have one."""
        records = self._servers.sandbox.connections(with_values=False)
        wall_to_mono = wall_to_mono_s()
        opened_by = generations(records, log.records, wall_to_mono)
        streams = key_streams(records, opened_by, worker_ends(log.records, wall_to_mono))
        late_s = LATE_S * self._servers.slowness
        return breaches(streams, {}, overlaps(log.records, wall_to_mono), late_s)

    def _counters(self) -> list[tuple[str, int, int]]:
        return [(c.name, c.received, c.delivered) for c in self._status.look().connections]

    def _is_delivered(self) -> bool:
        return all(c.delivered >= c.received for c in self._status.view.connections)

    def _all_stream(self) -> bool:
        return self._status.look().pids().keys() == CONNECTIONS

    def _wait(self, fact: Callable[[], bool], within_s: float) -> bool:
        """Wait and measure; return False when time is over, on a requested stop, or without a supervisor."""

        def is_over() -> bool:
            if time.monotonic() >= self._next_sample:
                self._gauge.sample()
                self._next_sample = time.monotonic() + self._options.sample_s
            return self._supervisor.exit_code is not None or fact()

        return self._interrupt.wait_until(is_over, within_s) and self._supervisor.exit_code is None
