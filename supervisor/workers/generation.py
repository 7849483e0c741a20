"""The master's knowledge of one generation: its state, its stream, its last report."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from traptor.common.birth import Birth
from traptor.common.counts import Counters, flat
from traptor.common.errors import ProtocolError
from traptor.common.files.mark import read_mark
from traptor.common.files.outboxes import outbox_folder
from traptor.common.knowledge import Knowledge
from traptor.common.messages import Connect, Disconnected, OutboxTrouble, Report
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.workers.spec import KeySpec, Spec
from traptor.supervisor.workers.states import GenerationState, check_move


class Ending(StrEnum):
    """The reasons for a generation's end, for the log and its successor's start."""

    DRAINED = "drained"  # as told
    CRASH = "crash"
    HUNG = "hung"
    FAULT = "fault"  # it broke the protocol
    STOPPED = "stopped"  # by SIGSTOP
    MEMORY = "memory"  # above max_memory


def words_of_end(ending: Ending | None, code: int | None) -> str:
    """Return how a worker ended, for people: `hung`, `SIGKILL`, `exit code 1`; "": nobody knows."""
    if ending not in (None, Ending.CRASH):
        return str(ending)
    if code is None:
        return ""
    if code >= 0:
        return f"exit code {code}"
    known = {number.value: number.name for number in signal.Signals}
    return known.get(-code, f"signal {-code}")


_CLOCK_STEP_S = 1.0  # CLOCK_MONOTONIC is the same for all processes of a host; this covers rounding
_MOST = 2**53  # above it JSON readers lose digits

PUT_DOWN = frozenset({Ending.HUNG, Ending.STOPPED, Ending.MEMORY})


@dataclass(frozen=True, slots=True)
class Vitals:
    """One sample of a process."""

    anonymous_bytes: int  # anonymous memory; parts still shared with the forker count
    cpu_percent: float  # of one core, since the previous sample
    descriptors: int
    status: str  # as psutil names it: running, sleeping, stopped, ...

    @property
    def is_stopped(self) -> bool:
        """True when SIGSTOP halted it (a debugger's halt has another name)."""
        return self.status == psutil.STATUS_STOPPED


@dataclass(eq=False)
class Generation:
    """One worker process and its life so far. Times are monotonic seconds."""

    birth: Birth
    spec: Spec
    born_at: float
    pid: int
    state: GenerationState = GenerationState.STARTING
    may_connect: bool = False
    lease: Lease | None = None  # held while the generation may have an HTTP connection
    key: KeySpec | None = None  # of its last Connect
    connect: Connect | None = field(default=None, repr=False)
    streaming_since: float | None = None
    last_report: Report | None = None
    last_heard: float = 0.0  # on the master's run clock
    busy_since: float = 0.0  # on the run clock: when its present activity was first reported
    outbox_trouble: OutboxTrouble | None = None  # of OUTBOX_FULL
    closing: GapCause | None = None  # told to close its stream and still has it: the cause of the gap
    told: Knowledge | None = field(default=None, repr=False)  # of its app, at its birth or with a change (v2)
    changed_to: Knowledge | None = field(default=None, repr=False)  # with the last change, if there was one
    changes: int = 0  # how often that was replaced
    overlaps: bool = False  # its stream is the one that an overlap replaced
    leave_by: float | None = None  # replaced, it reads on, at most until then
    kill_at: float | None = None
    killed: bool = False
    fault: str | None = None
    vitals: Vitals | None = None
    illness: Ending | None = None  # why it is to be put down
    ending: Ending | None = None
    exit_code: int | None = None  # None: it runs, or nobody knows

    @property
    def name(self) -> str:
        """Its name in logs: `track:0#3`."""
        return self.birth.name

    @property
    def streams(self) -> bool:
        """True while it has an open stream."""
        return self.state is GenerationState.STREAMING

    @property
    def last_key_id(self) -> str | None:
        """The id of the key of its last connect."""
        return self.key.key_id if self.key is not None else None

    @property
    def key_name(self) -> str | None:
        """The name of that key."""
        return self.connect.key_name if self.connect is not None else None

    @property
    def counters(self) -> Counters:
        """Its counters as last reported."""
        return self.last_report.counters if self.last_report is not None else Counters()

    @property
    def last_byte_at(self) -> float:
        """The time of the last byte over its stream, as last reported; 0: none yet."""
        return self.last_report.last_byte_at if self.last_report is not None else 0.0

    def move(self, new: GenerationState) -> None:
        """Change the state. Raises ProtocolError when the table of moves does not allow it."""
        check_move(self.state, new)
        self.state = new

    def outbox_full(self, trouble: OutboxTrouble) -> None:
        """Record that it has no stream until its outbox has room; called again when the reason changes."""
        if self.state is not GenerationState.OUTBOX_FULL:
            self.move(GenerationState.OUTBOX_FULL)
        self.outbox_trouble = trouble

    def ask_to_connect(self) -> None:
        """Record that it waits for a permission from now on; a full outbox has room again."""
        if self.state is GenerationState.OUTBOX_FULL:
            self.move(GenerationState.READY)
        self.may_connect = True

    def asks_to_connect(self) -> bool:
        """Tell whether it waits for a permission."""
        return self.state is GenerationState.READY and self.may_connect

    def permitted(self, connect: Connect, key: KeySpec, lease: Lease) -> None:
        """Record that the master permitted a connect."""
        self.move(GenerationState.CONNECTING)
        self.may_connect = False
        self.connect, self.key, self.lease = connect, key, lease

    def expected_from(self, run_now: float) -> None:
        """Count its silence from `run_now` on the master's run clock."""
        self.last_heard = run_now

    def heard(self, report: Report, now: float, run_now: float) -> None:
        """Record a report, at `run_now` on the run clock. Raises ProtocolError if it cannot be true."""
        _check_report(self, report, now)
        if self.last_report is None or report.activity_since != self.last_report.activity_since:
            self.busy_since = run_now
        self.last_report, self.last_heard = report, run_now

    def connected(self, at: float, now: float) -> None:
        """Record that its stream is open since `at`. Raises ProtocolError when that cannot be."""
        if not self.born_at <= at <= now:
            raise ProtocolError(f"connected at an impossible time: {at}")
        self.move(GenerationState.STREAMING)
        self.streaming_since = at

    def disconnected(self, message: Disconnected, now: float) -> None:
        """Record that it has no stream (any more). Raises ProtocolError when that cannot be."""
        _check_times(self, message, now)
        if self.state is not GenerationState.DRAINING:
            self.move(GenerationState.READY)
        self.closing = None
        self.stream_lost()

    def stream_lost(self) -> None:
        """Record that its stream is gone, and with it its hold on the key."""
        self.streaming_since, self.lease = None, None

    # ---- orders of the master

    def told_to_close(self, cause: GapCause) -> None:
        """Record that it was told to close its stream and to wait."""
        self.closing = cause

    @property
    def knowledge(self) -> Knowledge:
        """What it matches by: since its birth, or since the last change."""
        return self.changed_to or Knowledge.of(self.birth.rules, self.birth.filters)

    def told_of(self, knowledge: Knowledge) -> int:
        """Record what it matches by from now on, and return the number of this change."""
        self.told = self.changed_to = knowledge
        self.changes += 1
        return self.changes

    def replaced(self, leave_by: float, *, overlaps: bool) -> None:
        """Record that another generation serves now: it reads on, at most until `leave_by`."""
        self.overlaps, self.leave_by = overlaps, leave_by

    def told_to_drain(self, kill_at: float) -> None:
        """Record that it was told to drain, and is killed at `kill_at` if it has not ended."""
        self._drains_by(kill_at)
        self.ending = self.ending or Ending.DRAINED

    def put_down(self, ending: Ending, kill_at: float) -> None:
        """Record that it is ended for that reason, and killed at `kill_at`."""
        self._drains_by(kill_at)
        self.ending = ending

    def kill_by(self, at: float) -> None:
        """Have it killed at `at`, if it is ending and would be killed later."""
        if self.kill_at is not None:
            self.kill_at = min(self.kill_at, at)

    def was_killed(self) -> None:
        """Record that KILL was sent."""
        self.kill_at, self.killed = None, True

    def broke_protocol(self, what: str) -> None:
        """Record its fault, for which it is to be ended."""
        self.fault = what

    def ended_for_fault(self) -> None:
        """Record that it is ended for its fault."""
        self.ending = Ending.FAULT

    def examined(self, vitals: Vitals, illness: Ending | None) -> None:
        """Record a sample of the kernel, and why it is to be put down by that."""
        self.vitals, self.illness = vitals, illness

    def exited(self, code: int | None) -> None:
        """Record that its process ended. Without an order it crashed, except for a finished drain worker."""
        self.exit_code = code
        self.ending = self.ending or (Ending.DRAINED if self.birth.drains and not code else Ending.CRASH)

    def _drains_by(self, kill_at: float) -> None:
        if self.state is not GenerationState.DRAINING:  # a drain worker has this state from the start
            self.move(GenerationState.DRAINING)
        self.leave_by, self.kill_at = None, kill_at

    # ---- how far its data is safe

    @property
    def safe_until(self) -> float:
        """The time up to which its stream's data is known to be safe by its last report, one per second."""
        report = self.last_report
        return max(self.streaming_since or self.born_at, report.safe_until if report is not None else 0.0)

    def safe_until_by_mark(self) -> float:
        """Return the same, using also its mark, which is written with every commit of its outbox."""
        mark = read_mark(self.outbox)
        return max(self.safe_until, mark.safe_until if mark is not None else 0.0)

    @property
    def outbox(self) -> Path:
        """The folder of its outbox."""
        return outbox_folder(self.birth.settings.outbox.state_dir, self.birth.connection) / str(
            self.birth.generation
        )


def _check_times(g: Generation, message: Disconnected, now: float) -> None:
    """Raise ProtocolError unless its times lie in order between the birth of `g` and now."""
    earliest = g.born_at - _CLOCK_STEP_S
    if not earliest <= message.last_byte_at <= message.at + _CLOCK_STEP_S <= now + 2 * _CLOCK_STEP_S:
        raise ProtocolError("a disconnect at an impossible time")
    if message.safe_until is not None and not earliest <= message.safe_until <= now + _CLOCK_STEP_S:
        raise ProtocolError("a disconnect with an impossible time")


def _check_report(g: Generation, report: Report, now: float) -> None:
    """Raise ProtocolError when one of its times is impossible, or a counter fell or is too large."""
    if not g.born_at - _CLOCK_STEP_S <= report.at <= now + _CLOCK_STEP_S:
        raise ProtocolError("a report at an impossible time")
    if not 0 <= report.activity_since <= now + _CLOCK_STEP_S:
        raise ProtocolError("a report of something done since an impossible time")
    if report.counters == g.counters:  # as on a quiet stream, once a second
        return
    before = flat(g.counters)
    for name, count in flat(report.counters).items():
        if not before.get(name, 0) <= count < _MOST:
            raise ProtocolError(f"a report with an impossible count of {name}")
