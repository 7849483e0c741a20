"""What the master knows of one generation: its state, its stream, what it last reported."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from traptor.common.birth import Birth
from traptor.common.messages import Connect, Counters, Disconnected, Report
from traptor.supervisor.keypool import Lease
from traptor.supervisor.states import GenerationState, check_move


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


class Way(enum.StrEnum):
    """How a new generation gets its stream while the old one has one; in the order of choice."""

    SLOT = "slot"
    SPARE = "spare"
    OVERLAP = "overlap"
    SERIAL = "serial"


class Ending(enum.StrEnum):
    """Why a generation ended, for the log and the next one's start."""

    DRAINED = "drained"  # as told
    CRASH = "crash"
    HUNG = "hung"
    FAULT = "fault"  # it sent nonsense


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
    closing: bool = False  # told to close its stream, for `serial`
    leave_by: float | None = None  # reads to EOF after an overlap, at most until then
    drain_by: float | None = None
    kill_at: float | None = None
    fault: str | None = None
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
    def counters(self) -> Counters:
        """Its counters as last reported."""
        return self.last_report.counters if self.last_report is not None else Counters()

    def move(self, new: GenerationState) -> None:
        """Change the state. Raises ProtocolError when the table of moves does not have it."""
        check_move(self.state, new)
        self.state = new

    def asks_to_connect(self) -> bool:
        """Whether it waits for a permission."""
        return self.state is GenerationState.READY and self.may_connect

    def permitted(self, connect: Connect, key: KeySpec, lease: Lease) -> None:
        """It was told to connect."""
        self.move(GenerationState.CONNECTING)
        self.may_connect = False
        self.connect, self.key, self.lease = connect, key, lease

    def connected(self, at: float) -> None:
        """Its stream is open."""
        self.move(GenerationState.STREAMING)
        self.streaming_since = at

    def disconnected(self, _message: Disconnected) -> None:
        """It has no stream (any more)."""
        if self.state is not GenerationState.DRAINING:
            self.move(GenerationState.READY)
        self.streaming_since = None
        self.lease = None

    def last_sign_at(self) -> float:
        """Up to when what it read is known to have been handled: its last report, else its birth."""
        return self.last_report.at if self.last_report is not None else self.born_at
