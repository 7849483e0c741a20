"""One run of the chaos under v2: start, disturb, let it calm down, stop in order, and judge."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator

from chaos_parts.deliveries import Topic
from chaos_parts.disks import Disks
from chaos_parts.evidence import sent_tweets
from chaos_parts.ledger import read_ledger
from chaos_parts.masters import Masters
from chaos_parts.schedule import Kind as ChaosKind
from chaos_parts.stage import ANY_FRAMING, CA_FILE, address
from trial.accounts import make_accounts, write_ini
from trial.clocks import unix_s, wall_to_mono_s
from trial.evidence import written_tweets
from trial.folder import TrialFolder
from trial.interrupt import Interrupt
from trial.logtail import LogTail
from trial.rulebook import Rulebook
from trial.servers import Servers
from trial.supervisor import Supervisor
from trial.view import StatusReader

from appchaos_parts.fills import filled_times, findable, searched_posts
from appchaos_parts.havoc import Havoc, Victims
from appchaos_parts.judge import Found, judged
from appchaos_parts.options import NO_FILLS, RECOVERY, SEARCH, Options
from appchaos_parts.report import Report
from appchaos_parts.traces import Traces
from appchaos_parts.troubles import FULL_DISKS, Kind, Trouble, troubles
from traptor.supervisor.ledger.answers.accounting import imbalances

_START_S = 180.0
_CALM_S = 960.0  # connects or requests for filters may be used up, for a window of X's
_FILLED_S = 1_800.0  # searches may be used up, for two windows
_READ_ON_S = 180.0
_STOP_S = 90.0  # longer than the supervisor's own drain_timeout
_KEEP = 1_000_000
_UNNOTED = "what was read cannot be written down"  # a worker's line
_SANDBOX = ("--v2-effect", "2", "--v2-keep-alive", "1", *ANY_FRAMING)
_ENTERPRISE = ("--v2-enterprise", "all")
_FEW_RULES = 20  # in each group: a search for each query, one a second, 300 in 15 minutes
_STALL_S, _PATIENT_S = 5.0, 15.0
# Short waits, so that each kind of trouble occurs many times. The connects of 15 minutes stay X's own.
_OPTIONS: dict[str, dict[str, str]] = {
    "traptor": {"api": "v2", "repeated": "drop"},
    "supervisor": {"restart_backoff_max": "5s", "rules_check_interval": "10s"},
    "twitter": {
        "stall_timeout": f"{_STALL_S:g}s",
        "connect_rate": "20",
        "http_backoff": "500ms",
        "http_backoff_max": "4s",
        "rate_limit_backoff": "1s",
        "rate_limit_backoff_max": "4s",
    },
}
_FILLING = {"fill_daily_dollars": "none", "fill_after": "12s"}


class AppChaos:
    """Runs once; `say` receives progress messages."""

    def __init__(
        self, options: Options, folder: TrialFolder, interrupt: Interrupt, say: Callable[[str], None]
    ) -> None:
        self._options = options
        self._folder = folder
        self._interrupt = interrupt
        self._say = say
        self._disks = Disks(folder, ChaosKind.FILL_OUTPUT, options.output_bytes, say)
        self._accounts = make_accounts(1)
        self._app = self._accounts[0]["name"]
        self._status = StatusReader(folder.run / "status.json")
        self._log = LogTail(folder.logs / "supervisor.log")
        self._supervisor = Supervisor(folder)
        self._masters = Masters(self._supervisor, self._status)
        self._failures: list[str] = []

    def run(self) -> Report:
        """Return the report, with all children ended. Raises KeyboardInterrupt at the second Ctrl-C."""
        options = self._options
        timeline = ("--rate", str(options.rate), "--seed", str(options.seed), "--keep", str(_KEEP))
        contract = _ENTERPRISE if options.is_enterprise else ()
        tls = ("--tls", str(self._folder.path / CA_FILE))
        servers = Servers(self._folder, self._accounts, *timeline, *tls, *_SANDBOX, *contract)
        with self._disks, servers:
            try:
                return self._run(servers)
            finally:
                self._interrupt.be_deaf()
                self._supervisor.kill()

    def _run(self, servers: Servers) -> Report:
        self._servers = servers
        wall_to_mono = wall_to_mono_s()
        most = _FEW_RULES if self._options.fills == SEARCH else None
        self._rules = Rulebook(servers, self._options.seed, most)
        self._rules.load()
        self._write_ini(servers)
        self._masters.start()
        disks = {Kind(kind): disk for kind, disk in self._disks.by_kind.items()}
        targets = servers, self._masters, self._supervisor, self._status, self._rules
        victims = Victims(self._app, *targets, self._options.connections, disks)
        self._havoc = Havoc(victims, self._troubles(FULL_DISKS - disks.keys()))
        if self._wait(self._is_settled, _START_S):
            self._say("all rules are in effect")
            self._disturb()
            self._havoc.free_disks()
            servers.sandbox.v2.clear_faults()
            self._say("no more troubles")
        if not self._wait(self._is_settled, _CALM_S) and not self._interrupt.asked:
            self._failures.append(f"not all rules are in effect {_CALM_S:g} s after the last trouble")
        if not self._wait(self._is_filled, _FILLED_S) and not self._interrupt.asked:
            self._failures.append(f"gaps are not filled {_FILLED_S:g} s after the last trouble")
        counted = self._let_it_drain()
        self._stop()
        return self._report(counted, wall_to_mono)

    def _write_ini(self, servers: Servers) -> None:
        twitter = {**_OPTIONS["twitter"], **address("api_url", servers, self._options.seed)}
        if self._options.fills != NO_FILLS:
            twitter |= {"fill_gaps": self._options.fills, **_FILLING}
        if self._options.fills == RECOVERY:
            twitter["stall_timeout"] = f"{_PATIENT_S:g}s"  # the sandbox looks a backfill up first
        account = {**self._accounts[0], "max_connections": str(self._options.connections)}
        write_ini(self._folder, servers.redis_url, [account], {**_OPTIONS, "twitter": twitter})

    def _troubles(self, without: Collection[Kind]) -> Iterator[Trouble]:
        return troubles(self._options.seed, self._options.every_s, self._options.kinds - without)

    def _disturb(self) -> None:
        began = time.monotonic()

        def is_over() -> bool:
            elapsed_s = time.monotonic() - began
            if elapsed_s >= self._options.minutes * 60:
                return True
            for told in self._havoc.go_on(elapsed_s):
                self._say(f"{elapsed_s:7.1f} s: {told}")
            return False

        self._wait(is_over, float("inf"))

    # ---- the end

    def _let_it_drain(self) -> int:
        """Return how many posts the supervisor counted, once everything is delivered and told."""
        made = self._servers.sandbox.stop_timeline()
        self._say(f"no more tweets are made; there were {made:,}")
        seen = [-1, -2]

        def is_still() -> bool:
            view = self._status.look()
            seen.append(view.total("received"))
            return seen[-1] == seen[-2] == seen[-3] and view.total("backlog") == 0

        def is_quiet() -> bool:
            time.sleep(1.0)  # the workers tell once a second
            return is_still()

        if not self._interrupt.sit_out(is_quiet, _READ_ON_S):
            self._failures.append(f"not all is delivered {_READ_ON_S:g} s after the last tweet")
        view = self._status.look()
        return sum(app.posts for app in view.apps)

    def _stop(self) -> None:
        self._supervisor.terminate()
        if not self._interrupt.sit_out(lambda: self._supervisor.exit_code is not None, _STOP_S):
            self._failures.append(f"traptor-supervisor did not end within {_STOP_S:g} s of TERM")
        elif self._supervisor.exit_code:
            self._failures.append(f"traptor-supervisor ended with {self._supervisor.exit_code}")
        if orphans := self._masters.orphans():
            self._failures.append(f"processes left behind: {orphans}")

    def _report(self, counted: int, wall_to_mono: float) -> Report:
        self._log.read_on()
        sandbox, done = self._servers.sandbox, self._havoc.done
        connection = f"v2:{self._app}"
        ledger_file = self._folder.state / "ledger.db"
        tweets = list(sandbox.tweets())
        ids = written_tweets(self._folder.output).get(connection, Counter[str]())
        found = Found(
            connection=connection,
            at_once=self._options.connections,
            stall_timeout_s=_PATIENT_S if self._options.fills == RECOVERY else _STALL_S,
            streams=sandbox.v2.connections(),
            requests=sandbox.v2.requests("stream"),
            sent=tuple(sent_tweets(tweets)),
            made_at=[tweet["made_mono"] for tweet in tweets],
            written=Topic(Counter({(connection, one): count for one, count in ids.items()}), 0),
            ledger=read_ledger(ledger_file, wall_to_mono),
            billed=sum(day["posts"] + day["included_posts"] for day in sandbox.v2.bill()),
            counted=counted,
            filled=filled_times(ledger_file, wall_to_mono),
            kills=self._havoc.kills,
            unnoted=[
                unix_s(one["time"]) + wall_to_mono for one in self._log.records if one["message"] == _UNNOTED
            ],
            with_searches=self._options.fills == SEARCH,
            searched=searched_posts(self._folder.output / f"{connection}.jsonl"),
            stalls=self._havoc.stalls,
            slowness=self._servers.slowness,
            findable=findable(tweets, sandbox.v2.matches(), self._rules.steady),
        )
        verdict = judged(found)
        failures = [*self._failures, *imbalances(ledger_file)]
        if failures or verdict.breaches:
            traces = Traces(self._folder.path / "traces", wall_to_mono)
            traces.keep(found, verdict, tweets, sandbox.v2.bill(), self._havoc.happened)
        return Report(
            minutes=self._options.minutes,
            seed=self._options.seed,
            rate=self._options.rate,
            connections=self._options.connections,
            fills=self._options.fills,
            troubles=done,
            missed=self._havoc.missed,
            supervisors=self._masters.count,
            generations=Counter(r["why"] for r in self._log.records if r["message"] == "worker ended"),
            found=found,
            verdict=verdict,
            failures=failures,
        )

    # ---- steps

    def _is_filled(self) -> bool:
        return self._masters.is_up and not self._status.look().gaps_to_fill

    def _is_settled(self) -> bool:
        view = self._status.look()
        return self._masters.is_up and bool(view.pids()) and all(app.is_settled for app in view.apps)

    def _wait(self, fact: Callable[[], bool], within_s: float) -> bool:
        def is_over() -> bool:
            self._masters.sample()
            if self._masters.died:
                self._failures.append(f"traptor-supervisor ended by itself: {self._supervisor.last_words()}")
                self._masters.start()
            return fact()

        return self._interrupt.wait_until(is_over, within_s)
