"""The master's knowledge of one connection: what it should carry, and which generations serve it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from traptor.common.birth import WorkerSettings
from traptor.common.counts import Counters, added
from traptor.common.rules.rule import GroupId, Rule
from traptor.supervisor.apps.wanted.effect import InEffect
from traptor.supervisor.connections.handover import Handover
from traptor.supervisor.connections.waits import Wait, WaitKind
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.keys.leases import Lease
from traptor.supervisor.keys.ring import KeyRing
from traptor.supervisor.workers.crashes import CrashBackoff
from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.leftovers import first_of
from traptor.supervisor.workers.spec import Spec, key_spec
from traptor.supervisor.workers.states import ConnectionState, GenerationState


@dataclass(frozen=True, slots=True)
class WantedGeneration:
    """The inputs for a new generation of the connection."""

    rules: tuple[Rule, ...]
    settings: WorkerSettings
    spec: Spec
    keys: frozenset[str] = frozenset()  # the Redis keys of the rules


@dataclass(frozen=True, slots=True)
class LastError:
    """What went wrong last with a connection, and when (monotonic seconds)."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class RulesRefusal:
    """A refusal of these rules by the server (404/406/413/416); retried when they change, or at `until`."""

    rules: str  # fingerprint
    status: int
    until: float

    @property
    def wait(self) -> Wait:
        """The wait of a connection whose rules these are."""
        text = f"the server refuses its rules (HTTP {self.status})"
        return Wait(WaitKind.RULES_REFUSED, text, self.until)


@dataclass(eq=False)
class Connection:
    """One planned connection. Times are monotonic seconds."""

    name: str
    group: GroupId | None  # None: it is an app's, and carries several (v2)
    part: int
    crashes: CrashBackoff
    refresh_crashes: CrashBackoff  # of generations that were to take over
    gaps: GapTracker
    app: str | None = None  # the id of the only key that may serve it (v2)
    # v2: the connection that brings the same posts; None: it stands alone
    other: Connection | None = field(default=None, repr=False)
    slot_refused_until: float = 0.0  # X gave the app no second slot: not asked for again before
    wanted: WantedGeneration | None = None  # None: no longer planned
    ticket: int = 0  # of the hint that its wanted generation answers
    orders: int = 0  # how often the operator ordered a restart
    is_stopped: bool = False  # by the operator
    lease: Lease | None = None  # the key lent to it, for its wanted generation
    serving: Generation | None = None
    handover: Handover = field(init=False)
    leaving: list[Generation] = field(default_factory=list)
    refreshed_at: float | None = None
    refusal: RulesRefusal | None = None
    held_for: tuple[int, ...] = ()  # parts that must stream before rules may leave this one
    past: Counters = field(default_factory=Counters)  # of generations that are gone
    restarts: Counter[Ending] = field(default_factory=Counter)  # by how the previous generation ended
    broken_until: float = 0.0  # its step failed: none is tried before
    fork_failed: bool = False  # this host could not create the worker that was to serve it
    wait: Wait | None = None  # why nothing happens now
    without_filters: int = 0  # times in a row that X had none for it (v2)
    last_error: LastError | None = None
    last_crash: str = ""  # how its worker last ended: ` (SIGKILL)`
    delivered_at: float | None = None  # when its output last took something, as reported
    network_error: str = ""  # of its last connect or stream that failed on the network
    in_effect: InEffect | None = None  # its app's rules that find posts; None: not known yet (v2)

    # specs, and how many rules of the first one the second does not carry
    _missing: tuple[tuple[str, str], int] = field(default=(("", ""), 0), repr=False)

    def __post_init__(self) -> None:
        self.handover = Handover(self.gaps)
        self._groups: tuple[WantedGeneration | None, frozenset[GroupId]] | None = None

    @property
    def successor(self) -> Generation | None:
        """The generation that is to take over from the serving one."""
        return self.handover.successor

    @property
    def generations(self) -> tuple[Generation, ...]:
        """All living generations."""
        front = [generation for generation in (self.serving, self.successor) if generation is not None]
        return (*front, *self.leaving)

    @property
    def groups(self) -> frozenset[GroupId]:
        """The groups that it should carry rules of."""
        if self.group is not None:
            return frozenset((self.group,))
        if self._groups is None or self._groups[0] is not self.wanted:
            rules = self.wanted.rules if self.wanted is not None else ()
            self._groups = self.wanted, frozenset(rule.group for rule in rules)
        return self._groups[1]

    @property
    def is_planned(self) -> bool:
        """True when it has rules to stream."""
        return self.wanted is not None and bool(self.wanted.rules)

    @property
    def streams(self) -> bool:
        """True while it has an open stream."""
        return self.serving is not None and self.serving.streams

    @property
    def collects(self) -> bool:
        """True while posts for its rules can come: over an open stream, of an app for filters in effect."""
        return self.streams and (self.app is None or bool(self.in_effect and self.in_effect.rules))

    @property
    def pair(self) -> str | None:
        """The name that it has in common with the other connection of its app, if there is one."""
        return first_of(self.name) if self.other is not None else None

    @property
    def is_covered(self) -> bool:
        """True while the other connection of its app streams."""
        return self.other is not None and self.other.streams

    @property
    def has_cover(self) -> bool:
        """True while the other connection of its app streams, and is to go on."""
        other = self.other
        if other is None or other.serving is None or other.handover.successor_first:
            return False
        return other.streams and other.serving.closing is None and not other.is_stopped

    @property
    def may_be_covered(self) -> bool:
        """True while the other connection of its app streams, or waits for the answer to its connect.

        X may tell this one that the app's connections are taken before the other has told us that it has one.
        """
        g = self.other.serving if self.other is not None else None
        return self.has_cover or (g is not None and g.state is GenerationState.CONNECTING)

    @property
    def silence(self) -> Wait | None:
        """The reason why it does not stream, or None while it does."""
        if self.streams:
            return None
        if self.wait is not None:
            return self.wait
        g = self.serving
        if g is None:
            return Wait(WaitKind.STARTING, "its worker is not there yet")
        match g.state:
            case GenerationState.CONNECTING:
                return Wait(WaitKind.CONNECTING, "the server is asked", key=g.key_name)
            case GenerationState.DRAINING | GenerationState.GONE:
                return Wait(WaitKind.STARTING, "its worker is being replaced")
            case _:
                return Wait(WaitKind.STARTING, "its worker is starting")

    def uncollected(self) -> int:
        """Return how many of the wanted rules its stream does not carry; counting is slow, so it is kept."""
        if self.wanted is None:
            return 0
        if self.serving is None or not self.serving.streams:
            return 0 if self.is_covered else len(self.wanted.rules)
        if self.app is not None:
            return max(0, len(self.wanted.rules) - (len(self.in_effect.rules) if self.in_effect else 0))
        prints = (self.wanted.spec.rules, self.serving.spec.rules)
        if self._missing[0] != prints:
            same = prints[0] == prints[1]
            self._missing = prints, 0 if same else len({*self.wanted.rules} - {*self.serving.birth.rules})
        return self._missing[1]

    @property
    def asks(self) -> bool:
        """True when a generation waits for permission to connect while none streams or connects."""
        front = [generation for generation in (self.serving, self.successor) if generation is not None]
        busy = (GenerationState.STREAMING, GenerationState.CONNECTING)
        return any(g.asks_to_connect() for g in front) and not any(g.state in busy for g in front)

    @property
    def streaming_since(self) -> float | None:
        """The time since which its serving generation streams."""
        return self.serving.streaming_since if self.serving is not None else None

    @property
    def carried(self) -> frozenset[str]:
        """Redis keys of the rules that its open stream carries."""
        return self.serving.birth.keys if self.serving is not None and self.serving.streams else frozenset()

    @property
    def forked(self) -> frozenset[str]:
        """Redis keys of the rules that its serving generation and its successor were forked with."""
        front = (generation for generation in (self.serving, self.successor) if generation is not None)
        return frozenset().union(*(generation.birth.keys for generation in front))

    def restart_ordered(self) -> None:
        """Want another generation, now: what kept the last one from its stream no longer counts."""
        self.orders += 1
        self.crashes.reset()
        self.refresh_crashes.reset()
        self.refusal = None
        self.broken_until = 0.0

    def forget_key(self) -> None:
        """End the lease, and drop what was planned with its key."""
        self.lease = None
        self.handover.drop_held_back()

    def asked_with_former_key(self, g: Generation, ring: KeyRing) -> bool:
        """Tell whether the key was changed since `g` connected: a refusal says nothing of the present one.

        While the changed key is in doubt, that was refused itself, and the former one is the last to try.
        """
        if g.key is None or g.key.key_id not in ring or self.handover.held_back is not None:
            return False
        return g.key != key_spec(ring[g.key.key_id])

    def counters(self) -> Counters:
        """Return the totals of all its generations; they never decrease."""
        total = self.past
        for generation in self.generations:
            total = added(total, generation.counters)
        return total

    def outbox(self) -> tuple[int, int]:
        """Return what its generations still have to deliver, as last reported: messages, bytes on disk."""
        reports = [g.last_report for g in self.generations if g.last_report is not None]
        return sum(report.backlog for report in reports), sum(report.outbox_bytes for report in reports)

    def refused(self, now: float) -> bool:
        """Tell whether the server recently refused the rules that are wanted now."""
        return (
            self.refusal is not None
            and self.wanted is not None
            and self.refusal.rules == self.wanted.spec.rules
            and now < self.refusal.until
        )

    def state(self, now: float) -> ConnectionState:
        """Return the state that tells why it has a generation, or none."""
        if not self.is_planned:
            return ConnectionState.QUIET
        if self.is_stopped:
            return ConnectionState.STOPPED
        if self.wait is not None and self.wait.kind is WaitKind.CAPPED:
            return ConnectionState.CAPPED
        if self.serving is not None and self.serving.state is not GenerationState.DRAINING:
            return ConnectionState.UP
        if self.refused(now):
            return ConnectionState.REFUSED
        if self.lease is None:
            return ConnectionState.WAITING_FOR_KEY
        if self.crashes.not_before(now) is not None:
            return ConnectionState.BACKOFF
        return ConnectionState.UP
