"""One run of the chaos: start, disturb, let it calm down, stop in order, and judge."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from trial.clocks import wall_to_mono_s
from trial.folder import TrialFolder
from trial.interrupt import Interrupt
from trial.logtail import LogTail
from trial.rulebook import CONNECTIONS
from trial.still import Seldom
from trial.supervisor import Supervisor
from trial.view import StatusReader

from chaos_parts.disks import Disks
from chaos_parts.evidence import sent_tweets
from chaos_parts.havoc import Havoc, Victims
from chaos_parts.ledger import read_ledger
from chaos_parts.leftovers import files_left
from chaos_parts.masters import Masters
from chaos_parts.outputs import OUTPUTS, To
from chaos_parts.quiet import Quiet
from chaos_parts.report import LONG_RUN_MINUTES, Report
from chaos_parts.schedule import FULL_DISKS, Kind, schedule
from chaos_parts.stage import MAX_CONNECTIONS, STALL_TIMEOUT_S, Stage
from chaos_parts.verdict import Found, judged
from traptor.supervisor.ledger.answers.accounting import imbalances

# A trial that works waits for none of these times to be over, however busy the machine.
_START_S = 180.0
_CALM_S = 240.0
_READ_ON_S = 180.0
_STOP_S = 90.0  # longer than the supervisor's own drain_timeout
_SAMPLE_S = 2.0
_RULES_LOOK_S = 3.0
_KEEP_MARGIN, _KEEP_MORE = 1.5, 100_000  # tweets of the start and the end
_DRIFT_S = 0.005
_OUTPUT_BYTES, _TWEET_BYTES = 256 << 20, 8192


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    minutes: float
    rate: float  # tweets per second
    seed: int
    every_s: float  # between disturbances, and between faults of the sandbox
    to: To = To.KAFKA

    @property
    def seconds(self) -> float:
        """The duration of the disturbances."""
        return self.minutes * 60

    @property
    def most_tweets(self) -> int:
        """An upper bound of the tweets made."""
        return int(self.rate * self.seconds * _KEEP_MARGIN) + _KEEP_MORE

    @property
    def output_bytes(self) -> int:
        """An upper bound of the disk usage of Kafka, or of the files."""
        return _OUTPUT_BYTES + int(self.rate * self.seconds * _KEEP_MARGIN * _TWEET_BYTES)


class Chaos:
    """Runs once; `say` receives progress messages."""

    def __init__(
        self, options: Options, folder: TrialFolder, interrupt: Interrupt, say: Callable[[str], None]
    ) -> None:
        self._options = options
        self._folder = folder
        self._interrupt = interrupt
        self._say = say
        self._output = OUTPUTS[options.to](folder)
        self._disks = Disks(folder, self._output.disk, options.output_bytes, say)
        self._stage = Stage(folder, self._output, options.rate, options.seed, options.most_tweets)
        self._status = StatusReader(folder.run / "status.json")
        self._log = LogTail(folder.logs / "supervisor.log")
        self._supervisor = Supervisor(folder)
        self._masters = Masters(self._supervisor, self._status)
        self._failures: list[str] = []
        self._next_sample = 0.0

    def run(self) -> Report:
        """Return the report, with all children ended. Raises KeyboardInterrupt at the second Ctrl-C."""
        with self._disks, self._stage:
            try:
                return self._run()
            finally:
                self._interrupt.be_deaf()
                self._supervisor.kill()

    def _run(self) -> Report:
        self._wall_to_mono = wall_to_mono_s()
        self._began = time.monotonic()
        self._havoc = self._make_havoc()
        self._masters.start()
        if self._wait(self._is_settled, _START_S):
            self._masters.note_first()
            self._say("all connections stream")
            self._disturb()
            self._calm_down()
        else:
            self._failures.append(f"not all connections stream after {_START_S:g} s")
        self._let_it_drain()
        self._stop()
        return self._report()

    # ---- the disturbances

    def _make_havoc(self) -> Havoc:
        victims = Victims(
            servers=self._stage.servers,
            clusters=self._output.clusters,
            masters=self._masters,
            supervisor=self._supervisor,
            status=self._status,
            rules=self._stage.rules,
            keyring=self._stage.keyring,
            ini=self._folder.ini,
            disks=self._disks.by_kind,
        )
        without = self._output.impossible | (FULL_DISKS - self._disks.by_kind.keys())
        if self._options.minutes < LONG_RUN_MINUTES:
            # Soon after an outage of Kafka all workers repeat what was in flight.
            without |= {Kind.KILL_FORKER}
        disturbances = schedule(self._options.seed, self._options.every_s, without)
        return Havoc(victims, disturbances)

    def _disturb(self) -> None:
        options = self._options
        self._stage.servers.sandbox.begin_soak(options.seed, every_s=options.every_s)
        began = time.monotonic()

        def is_over() -> bool:
            elapsed_s = time.monotonic() - began
            if elapsed_s >= options.seconds:
                return True
            for told in self._havoc.go_on(elapsed_s):
                self._say(f"{elapsed_s:7.1f} s: {told}")
            return False

        self._wait(is_over, float("inf"))

    def _calm_down(self) -> None:
        self._havoc.undo_all()
        self._stage.servers.sandbox.end_soak()
        self._stage.servers.sandbox.clear_faults()
        self._say("no more disturbances")
        if not self._wait(self._is_settled, _CALM_S):
            states = ", ".join(f"{c.name} {c.state}" for c in self._status.view.connections)
            self._failures.append(f"not all connections stream {_CALM_S:g} s after the last fault: {states}")
        elif not self._wait(Seldom(self._all_rules_stream, _RULES_LOOK_S), _CALM_S):
            self._failures.append(
                f"not all rules of Redis are in open filters {_CALM_S:g} s after the last fault"
            )

    # ---- the end

    def _let_it_drain(self) -> None:
        made = self._stage.servers.sandbox.stop_timeline()
        self._say(f"no more tweets are made; there were {made:,}")
        self._output.wait_until_up()
        if not self._interrupt.sit_out(Quiet(self._status, self._output.ends), _READ_ON_S):
            self._failures.append(f"not all is delivered {_READ_ON_S:g} s after the last tweet")
        self._masters.note_last()
        if zombies := self._masters.zombies():
            self._failures.append(f"processes that nobody waited for: {zombies}")

    def _stop(self) -> None:
        code_before = self._supervisor.exit_code
        self._supervisor.terminate()
        if code_before is not None:
            self._fail(f"traptor-supervisor ended by itself with {code_before}")
        elif not self._interrupt.sit_out(lambda: self._supervisor.exit_code is not None, _STOP_S):
            self._fail(f"traptor-supervisor did not end within {_STOP_S:g} s of TERM")
        elif self._supervisor.exit_code:
            self._fail(f"traptor-supervisor ended with {self._supervisor.exit_code}")
        if orphans := self._masters.orphans():
            self._failures.append(f"processes left behind: {orphans}")
        drift_s = wall_to_mono_s() - self._wall_to_mono
        if abs(drift_s) > _DRIFT_S:
            self._failures.append(f"the host's clocks moved apart by {drift_s:.3f} s: times do not compare")

    def _fail(self, text: str) -> None:
        self._failures.append(f"{text}. {self._supervisor.last_words()}".strip())

    def _report(self) -> Report:
        self._log.read_on()
        sandbox = self._stage.servers.sandbox
        strikes = sandbox.soak()["strikes"]
        connections = sandbox.connections()
        self._keep({"wall_to_mono_s": self._wall_to_mono, "connections": connections, "strikes": strikes})
        topic, dead = self._output.content()
        ledger_file = self._folder.state / "ledger.db"
        verdict = judged(
            Found(
                began_at=self._began,
                wall_to_mono=self._wall_to_mono,
                connections=connections,
                strikes=strikes,
                sent=tuple(sent_tweets(sandbox.tweets())),
                topic=topic,
                ledger=read_ledger(ledger_file, self._wall_to_mono),
                events=self._log.records,
                stops=self._havoc.stops,
                blind=self._havoc.blind,
                stall_timeout_s=STALL_TIMEOUT_S,
                max_connections=MAX_CONNECTIONS,
                slowness=self._stage.servers.slowness,
            )
        )
        options = self._options
        return Report(
            minutes=options.minutes,
            seed=options.seed,
            rate=options.rate,
            to=options.to,
            disturbances=self._havoc.done,
            missed=self._havoc.missed,
            strikes=Counter(fault["fault"] for strike in strikes for fault in strike["faults"]),
            supervisors=self._masters.count,
            generations=Counter(r["why"] for r in self._log.records if r["message"] == "worker ended"),
            deliveries=verdict.deliveries,
            topic=topic,
            gap_seconds=verdict.ledger.gap_seconds(),
            disagreements=verdict.disagreements,
            trends=self._masters.trends(),
            failures=[
                *self._failures,
                *verdict.faults,
                *imbalances(ledger_file),
                *files_left(self._folder.state),
                *dead,
            ],
            slowness=self._stage.servers.slowness,
        )

    def _keep(self, record: dict[str, Any]) -> None:
        """Write down what the sandbox recorded, to investigate losses."""
        record["connections"] = [{**one, "values": None} for one in record["connections"]]
        (self._folder.path / "sandbox.json").write_bytes(orjson.dumps(record))

    # ---- steps

    def _is_settled(self) -> bool:
        """Tell whether all connections stream, and none is about to change its worker."""
        view = self._status.look()
        is_whole = view.pids().keys() == CONNECTIONS and not any(c.others for c in view.connections)
        return is_whole and self._masters.is_up

    def _all_rules_stream(self) -> bool:
        """Tell whether every rule in Redis is in the filter of an open stream."""
        if not self._is_settled():
            return False
        open_ = [
            record for record in self._stage.servers.sandbox.connections() if record["closed_at"] is None
        ]
        asked = {
            (kind, text) for record in open_ for kind, texts in record["values"].items() for text in texts
        }
        return self._stage.rules.history[-1][1] <= asked

    def _wait(self, fact: Callable[[], bool], within_s: float) -> bool:
        """Wait and measure; return False when the time is over or a stop was requested."""

        def is_over() -> bool:
            if time.monotonic() >= self._next_sample:
                self._masters.sample()
                self._next_sample = time.monotonic() + _SAMPLE_S
            if self._masters.died:
                self._fail(f"traptor-supervisor ended by itself with {self._supervisor.exit_code}")
                self._masters.start()
            return fact()

        return self._interrupt.wait_until(is_over, within_s)
