"""What the master knows of one generation: its state, its stream, what it last reported."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from pathlib import Path

from traptor.common.birth import Birth
from traptor.common.errors import ProtocolError
from traptor.common.files.mark import read_mark
from traptor.common.files.outboxes import outbox_folder
from traptor.common.messages import Connect, Counters, Disconnected, OutboxTrouble, Report
from traptor.supervisor.keys.pool import Lease
from traptor.supervisor.workers.states import GenerationState, check_move
from traptor.supervisor.workers.vitals import Vitals


@dataclass(frozen=True, slots=True)
class Spec:
    """What a generation is made from: the half that is fixed at the fork."""

    rules: str  # fingerprint
    settings: str  # fingerprint
    ticket: int  # of the group's hints, at the time its snapshot was read


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What a generation streams with: the half that each Connect sets."""

    key_id: str
    secrets: str  # fingerprint
    source_address: str | None
    proxy: str | None


class Ending(enum.StrEnum):
    """Why a generation ended, for the log and the next one's start."""

    DRAINED = "drained"  # as told
    CRASH = "crash"
    HUNG = "hung"
    FAULT = "fault"  # it sent nonsense
    STOPPED = "stopped"  # by SIGSTOP
    MEMORY = "memory"  # above max_memory


PUT_DOWN = frozenset({Ending.HUNG, Ending.STOPPED, Ending.MEMORY})


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
    closing: bool = False  # told to close its stream, for `serial`, and has it still
    overlaps: bool = False  # its stream is the one that an overlap replaced
    leave_by: float | None = None  # replaced, it reads on, at most until then
    kill_at: float | None = None
    killed: bool = False
    fault: str | None = None
    vitals: Vitals | None = None
    illness: Ending | None = None  # why it is to be put down
    ending: Ending | None = None

    @property
    def name(self) -> str:
        """Names it in logs: `track:0#3`."""
        return self.birth.name

    @property
    def streams(self) -> bool:
        """Whether it has an open stream."""
        return self.state is GenerationState.STREAMING

    @property
    def last_key_id(self) -> str | None:
        """The key of its last connect."""
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
        """Return when the last byte came over its stream, as last reported; 0: none yet."""
        return self.last_report.last_byte_at if self.last_report is not None else 0.0

    def move(self, new: GenerationState) -> None:
        """Change the state. Raises ProtocolError when the table of moves does not have it."""
        check_move(self.state, new)
        self.state = new

    def outbox_full(self, trouble: OutboxTrouble) -> None:
        """It has no stream until its outbox has room; said again when the reason is another."""
        if self.state is not GenerationState.OUTBOX_FULL:
            self.move(GenerationState.OUTBOX_FULL)
        self.outbox_trouble = trouble

    def ask_to_connect(self) -> None:
        """It waits for a permission from now on; a full outbox has room again."""
        if self.state is GenerationState.OUTBOX_FULL:
            self.move(GenerationState.READY)
        self.may_connect = True

    def asks_to_connect(self) -> bool:
        """Whether it waits for a permission."""
        return self.state is GenerationState.READY and self.may_connect

    def permitted(self, connect: Connect, key: KeySpec, lease: Lease) -> None:
        """It was told to connect."""
        self.move(GenerationState.CONNECTING)
        self.may_connect = False
        self.connect, self.key, self.lease = connect, key, lease

    def heard(self, report: Report, run_now: float) -> None:
        """It reported, at `run_now` on the master's run clock."""
        if self.last_report is None or report.activity_since != self.last_report.activity_since:
            self.busy_since = run_now
        self.last_report, self.last_heard = report, run_now

    def connected(self, at: float) -> None:
        """Its stream is open since `at`. Raises ProtocolError when that cannot be."""
        if not self.born_at <= at <= time.monotonic():
            raise ProtocolError(f"connected at an impossible time: {at}")
        self.move(GenerationState.STREAMING)
        self.streaming_since = at

    def disconnected(self, _message: Disconnected) -> None:
        """It has no stream (any more)."""
        if self.state is not GenerationState.DRAINING:
            self.move(GenerationState.READY)
        self.streaming_since = None
        self.closing = False
        self.lease = None

    @property
    def safe_until(self) -> float:
        """Until when what came over its stream is known to be safe by its last report, one a second."""
        report = self.last_report
        return max(self.streaming_since or self.born_at, report.safe_until if report is not None else 0.0)

    def safe_until_by_mark(self) -> float:
        """Return the same, by its mark too, which is written with every commit of its outbox."""
        mark = read_mark(self.outbox)
        return max(self.safe_until, mark.safe_until if mark is not None else 0.0)

    @property
    def outbox(self) -> Path:
        """The folder of its outbox."""
        return outbox_folder(self.birth.settings.outbox.state_dir, self.birth.connection) / str(
            self.birth.generation
        )
