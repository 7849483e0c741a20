"""One run of the demo: start, collect, change rules on the way, stop in order, and judge."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trial.accounts import Options as Sections
from trial.accounts import write_ini
from trial.folder import TrialFolder
from trial.interrupt import Interrupt
from trial.logtail import LogTail, told
from trial.ports import free_port
from trial.servers import CHANNEL, Servers
from trial.supervisor import Supervisor
from trial.view import StatusReader

from demo_parts.outputs import Output
from demo_parts.picture import Picture, Show
from demo_parts.rulebook import CHANGED_GROUP, Rulebook
from demo_parts.story import Ending, Story, Told

_START_S = 180.0  # under v2 every rule must be in effect, on a busy machine too
_CHANGE_S = 60.0
_READ_ON_S = 20.0
_STOP_S = 45.0  # longer than the supervisor's own drain_timeout
_UNTIL_STOP = ("starting", "collecting")
_FIRST_CHANGE_S, _CHANGE_INTERVAL_S = 10.0, 60.0  # when it runs until Ctrl-C


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    seconds: float | None  # of collecting, from when all connections stream; None: until Ctrl-C
    rate: float  # tweets per second
    seed: int


class Demo:
    """Runs once; `show` displays it meanwhile."""

    def __init__(
        self,
        options: Options,
        story: Story,
        folder: TrialFolder,
        output: Output,
        interrupt: Interrupt,
        show: Show,
    ) -> None:
        self._options = options
        self._story = story
        self._output = output
        self._folder = folder
        self._interrupt = interrupt
        self._show = show
        self._status = StatusReader(folder.run / "status.json")
        self._log = LogTail(folder.logs / "supervisor.log")
        self._supervisor = Supervisor(folder)
        self._port = free_port()
        self._doing = "starting"
        self._collects_since: float | None = None
        self._first_pids: dict[str, int] = {}
        self._failures: list[str] = []

    def run(self) -> Told | None:
        """Return the summary; None when it was stopped before anything was collected.

        Raises KeyboardInterrupt at the second Ctrl-C, with all children ended.
        """
        self._show.say(f"starting {self._output.start_words}")
        story = self._story
        options = ("--rate", str(self._options.rate), "--seed", str(self._options.seed))
        with (
            self._output,
            Servers(self._folder, story.accounts, *options, *story.sandbox_options()) as servers,
        ):
            try:
                return self._run(servers)
            finally:
                self._interrupt.be_deaf()
                self._supervisor.kill()

    def _run(self, servers: Servers) -> Told | None:
        self._servers = servers
        self._rules = Rulebook(servers, self._options.seed)
        self._rules.load()
        page = {"http": {"listen": str(self._port)}}
        options = merged(self._output.sections(), self._story.sections(servers.stream_url), page)
        write_ini(self._folder, servers.redis_url, self._story.accounts, options)
        self._story.begin(servers)
        if self._interrupt.asked:
            return None
        self._show.say(f"rules loaded; starting traptor-supervisor -c {self._folder.ini}")
        self._show.say(f"status page: {self._page}")
        self._supervisor.start()
        if self._wait(lambda: self._story.collects(self._status.view), _START_S):
            self._collect()
        elif not self._interrupt.asked:
            self._fail(f"not everything is collected after {_START_S:g} s")
        self._stop()
        return self._end()

    # ---- collecting

    def _collect(self) -> None:
        self._collects_since = time.monotonic()
        self._first_pids = self._status.view.pids()
        self._doing = "collecting"
        for change_s in self._change_times_s():
            if not self._collect_until(change_s):
                return
            self._change_rules()
        if self._options.seconds is not None and self._collect_until(self._options.seconds):
            self._wait_for_the_change()

    def _wait_for_the_change(self) -> None:
        story = self._story
        if story.is_changing:
            self._doing = f"waiting for {story.awaited}"
        if not self._wait(lambda: not story.is_changing, _CHANGE_S) and not self._interrupt.asked:
            self._fail(f"{_CHANGE_S:g} s after rules changed there is nothing yet of {story.awaited}")

    def _change_times_s(self) -> Iterable[float]:
        if self._options.seconds is not None:
            return [self._options.seconds / 3]
        return itertools.count(_FIRST_CHANGE_S, _CHANGE_INTERVAL_S)

    def _collect_until(self, elapsed_s: float) -> bool:
        return self._wait(lambda: self._elapsed_s() >= elapsed_s, elapsed_s + 1)

    def _change_rules(self) -> None:
        self._story.change(self._status.view)
        count = self._rules.change_track_rules()
        self._show.say(f"{count} track rules replaced in Redis; published {CHANGED_GROUP} on {CHANNEL}")

    # ---- the end

    def _stop(self) -> None:
        """Stop the timeline, then, when everything is read, the supervisor."""
        self._doing = "reading to the last byte"
        made = self._servers.sandbox.stop_timeline()
        self._show.say(f"no more tweets are made; there were {made:,}")
        if not self._failures and not self._interrupt.sit_out(self._all_read, _READ_ON_S):
            self._show.say(f"not all that was sent is read after {_READ_ON_S:g} s")
        self._doing = "stopping"
        self._supervisor.terminate()
        if not self._interrupt.sit_out(self._has_ended, _STOP_S):
            self._fail(f"traptor-supervisor did not end within {_STOP_S:g} s of TERM")
        elif self._supervisor.exit_code and not self._was_stopped_before_it_began():
            code, words = self._supervisor.exit_code, self._supervisor.last_words()
            self._fail(f"traptor-supervisor ended with {code}. {words}".strip())
        self._look()
        self._status.view = self._status.view.ended()
        self._doing = "ended"
        self._look()

    def _was_stopped_before_it_began(self) -> bool:
        """Tell whether TERM came before it listened to signals; it shows its status only after that."""
        return self._supervisor.exit_code == -signal.SIGTERM and not self._status.view.at

    def _all_read(self) -> bool:
        self._look()
        return self._supervisor.exit_code is not None or self._story.all_read(self._status.view)

    def _has_ended(self) -> bool:
        self._look()
        return self._supervisor.exit_code is not None

    def _end(self) -> Told:
        return self._story.end(
            Ending(
                servers=self._servers,
                rules=self._rules,
                output=self._output,
                log=self._log.records,
                view=self._status.view,
                failures=tuple(self._failures),
                logs=str(self._folder.logs),
            )
        )

    # ---- steps

    def _wait(self, fact: Callable[[], bool], within_s: float) -> bool:
        """Wait and show; return False when time is over, a stop was requested, or the supervisor failed."""

        def is_over() -> bool:
            self._look()
            return bool(self._failures) or fact()

        return self._interrupt.wait_until(is_over, within_s) and not self._failures

    def _look(self) -> None:
        """Read the status and show changes."""
        self._status.look()
        for record in self._log.read_on():
            if text := told(record):
                self._show.say(text)
        for text in self._story.look(self._status.view):
            self._show.say(text)
        for failure in self._story.failures():
            self._fail(failure)
        if self._supervisor.exit_code is not None and self._doing in _UNTIL_STOP:
            code, words = self._supervisor.exit_code, self._supervisor.last_words()
            self._fail(f"traptor-supervisor ended by itself with {code}. {words}".strip())
        self._show.update(self._picture())

    def _picture(self) -> Picture:
        return Picture(
            doing=self._doing,
            elapsed_s=self._elapsed_s(),
            seconds=self._options.seconds,
            follow_rules=self._rules.follow_rules,
            track_rules=self._rules.track_rules,
            rate=self._options.rate,
            output=self._output.place,
            view=self._status.view,
            first_pids=self._first_pids,
            samples=self._output.samples(),
            expected=len(self._story.connections),
            page=self._page,
        )

    @property
    def _page(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    def _elapsed_s(self) -> float:
        return 0.0 if self._collects_since is None else time.monotonic() - self._collects_since

    def _fail(self, failure: str) -> None:
        if failure not in self._failures:
            self._failures.append(failure)
            self._show.say(failure)


def merged(*sections: Sections) -> Sections:
    """Return all sections together; later options win."""
    whole: dict[str, dict[str, str]] = {}
    for one in sections:
        for name, options in one.items():
            whole[name] = {**whole.get(name, {}), **options}
    return whole
