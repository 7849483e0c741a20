"""The ways in which a connection waits, each with its gap cause, its log level, and what to do about it.

A pure table. The reconcile step tells which way applies; the gap ledger, the status, the log lines and the
problems follow from here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from logging import ERROR, INFO

from traptor.supervisor.apps.hold import Hold
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.states import ConnectVerdict, Hindrance


class WaitKind(StrEnum):
    """Every way in which a connection can wait."""

    STARTING = "starting"
    CONNECTING = "connecting"
    NO_KEY = "no_key"
    KEYS_REFUSED = "keys_refused"  # no key is free, as the server refused keys
    RULES_REFUSED = "rules_refused"
    CRASHED = "crashed"
    NO_WORKER = "no_worker"  # this host cannot fork a worker
    TURN = "turn"  # other connections are starting
    PACED = "paced"
    OUTBOX_FULL = "outbox_full"
    STEP_FAILED = "step_failed"
    REFRESH_DUE = "refresh_due"
    STOPPED = "stopped"  # by the operator
    OTHER_FIRST = "other_first"  # the other connection of its app is being replaced (v2)
    NO_WAY = "no_way"  # none of the ways allowed by `handover` is open
    # Its key may not connect:
    KEY_GONE = "key_gone"
    KEY_UNUSABLE = "key_unusable"
    KEY_SUSPECT = "key_suspect"
    KEY_QUARANTINED = "key_quarantined"
    BUDGET = "budget"
    NETWORK = "network"
    SERVER_ERRORS = "server_errors"
    REQUEST_REFUSED = "request_refused"
    SHORT_STREAMS = "short_streams"
    BROKEN_STREAMS = "broken_streams"
    RATE_LIMITED = "rate_limited"
    SLOT_HELD = "slot_held"
    RESTS = "rests"  # after a failure that a lasting stream has made up for
    # Its app may not be connected to (v2):
    NO_APP = "no_app"
    NO_BEARER = "no_bearer"
    X_AWAY = "x_away"
    BEARER_REFUSED = "bearer_refused"
    OUT_OF_CREDIT = "out_of_credit"
    CAPPED = "capped"
    FOREIGN_FILTERS = "foreign_filters"
    SYNCING = "syncing"
    NO_FILTERS = "no_filters"
    ACTS_SOON = "acts_soon"  # it streams, and X brings its app's first filters into effect
    EFFECT = "effect"  # it streams, and no filter of its app is in effect, or will be


_OF_NETWORK = frozenset({WaitKind.NETWORK, WaitKind.BROKEN_STREAMS})

PASSING = frozenset({WaitKind.STARTING, WaitKind.CONNECTING, WaitKind.TURN, WaitKind.PACED})
"""On the way to a stream: what kept the connection from it before is still the reason that it has none."""

OF_HINDRANCE: dict[Hindrance, WaitKind] = {
    Hindrance.GONE: WaitKind.KEY_GONE,
    Hindrance.UNUSABLE: WaitKind.KEY_UNUSABLE,
    Hindrance.SUSPECT: WaitKind.KEY_SUSPECT,
    Hindrance.QUARANTINED: WaitKind.KEY_QUARANTINED,
    Hindrance.BUDGET: WaitKind.BUDGET,
    Hindrance.NETWORK: WaitKind.NETWORK,
    Hindrance.HTTP: WaitKind.SERVER_ERRORS,
    Hindrance.REFUSED: WaitKind.REQUEST_REFUSED,
    Hindrance.CLOSED: WaitKind.SHORT_STREAMS,
    Hindrance.BROKEN: WaitKind.BROKEN_STREAMS,
    Hindrance.RATE_LIMITED: WaitKind.RATE_LIMITED,
    Hindrance.SLOT_HELD: WaitKind.SLOT_HELD,
    Hindrance.RESTS: WaitKind.RESTS,
}


@dataclass(frozen=True, slots=True)
class WaitMeaning:
    """The meaning of one way to wait.

    `cause`: of the gap while nothing streams; None: the wait is part of what ended the last stream, or of the
    start, and the gap keeps its cause. `level`: of the log line that reports uncollected rules, once that has
    lasted `say_after_s` seconds; while an old generation keeps streaming, it is a warning at most. `app_todo`
    is the advice for the connection of an app, which no other key can serve (v2), where it differs.
    """

    cause: GapCause | None
    level: int
    say_after_s: float
    todo: str
    app_todo: str = ""

    def advice(self, *, is_of_app: bool) -> str:
        """Return what to do about it."""
        return (self.app_todo if is_of_app else "") or self.todo


STOPPED_TEXT = "stopped by the operator"
ACTS_SOON_TEXT = "X brings new filters into effect about 20 s after they were added"

_START_S = 30.0  # every worker waits for its turn and for its first response; this is too long
_EFFECT_S = 75.0  # X takes up to a minute to bring a new filter into effect
_BLIP_S = 5.0  # a network that fails for a moment: the key's first rests are shorter

_ADD_KEY = "add a key, or wait; a rule without a key is not collected"
_KEY = "check the key's secrets and this host's clock; a changed key is tried at once"

MEANINGS: dict[WaitKind, WaitMeaning] = {
    WaitKind.STARTING: WaitMeaning(None, ERROR, _START_S, "read the connection's log"),
    WaitKind.CONNECTING: WaitMeaning(None, ERROR, _START_S, "read the connection's log"),
    WaitKind.NO_KEY: WaitMeaning(
        GapCause.NO_KEY, ERROR, 0, _ADD_KEY, "wait: its own key serves it, and no other"
    ),
    WaitKind.KEYS_REFUSED: WaitMeaning(GapCause.KEY_REFUSED, ERROR, 0, _KEY),
    WaitKind.RULES_REFUSED: WaitMeaning(
        GapCause.RULES_REFUSED,
        ERROR,
        0,
        "find the rule that the server refuses; a changed rule is tried at once",
    ),
    # Its end was logged as a crash or a hang.
    WaitKind.CRASHED: WaitMeaning(
        None, ERROR, 0, "read the connection's log, after SIGKILL the kernel's too (journalctl -k); report it"
    ),
    WaitKind.NO_WORKER: WaitMeaning(
        GapCause.CRASH, ERROR, 0, "see `cannot fork a worker` in supervisor.log: memory, processes, disk"
    ),
    WaitKind.TURN: WaitMeaning(None, INFO, _START_S, "wait, or raise [supervisor] start_parallel"),
    WaitKind.PACED: WaitMeaning(None, INFO, _START_S, "wait, or raise [twitter] connect_rate"),
    WaitKind.OUTBOX_FULL: WaitMeaning(
        GapCause.OUTBOX_FULL,
        ERROR,
        0,
        "look at the output and the disk of state_dir; or raise outbox_max_bytes",
    ),
    WaitKind.STEP_FAILED: WaitMeaning(
        GapCause.CRASH, ERROR, 0, "see `a reconcile step failed` in supervisor.log; report it"
    ),
    WaitKind.OTHER_FIRST: WaitMeaning(None, INFO, _START_S, "wait; see the app's other connection"),
    WaitKind.REFRESH_DUE: WaitMeaning(
        None, INFO, _START_S, "wait; [supervisor] refresh_min_interval says for how long"
    ),
    WaitKind.STOPPED: WaitMeaning(
        GapCause.OPERATOR_STOP, INFO, 0, "when it is to collect again: traptorctl start NAME"
    ),
    WaitKind.NO_WAY: WaitMeaning(
        None,
        ERROR,
        0,
        "add a spare key, or allow more ways in [supervisor] handover",
        "allow serial in [supervisor] handover",
    ),
    WaitKind.KEY_GONE: WaitMeaning(GapCause.NO_KEY, ERROR, 0, _ADD_KEY, "give its groups to a key"),
    WaitKind.KEY_UNUSABLE: WaitMeaning(
        GapCause.NO_KEY, ERROR, 0, "correct the key's source_address, or bring the address back to this host"
    ),
    WaitKind.KEY_SUSPECT: WaitMeaning(GapCause.KEY_REFUSED, ERROR, 0, _KEY),
    WaitKind.KEY_QUARANTINED: WaitMeaning(GapCause.KEY_REFUSED, ERROR, 0, _KEY),
    WaitKind.BUDGET: WaitMeaning(GapCause.BUDGET, ERROR, 0, "wait, or add a spare key", "wait"),
    WaitKind.NETWORK: WaitMeaning(
        GapCause.NETWORK, ERROR, _BLIP_S, "look at the network, the proxy and the server"
    ),
    WaitKind.SERVER_ERRORS: WaitMeaning(
        GapCause.NETWORK, ERROR, _BLIP_S, "wait; if it lasts, look at the server's status page"
    ),
    WaitKind.REQUEST_REFUSED: WaitMeaning(
        GapCause.RULES_REFUSED,
        ERROR,
        _BLIP_S,
        "look at the server's answer, the rules and [twitter] in the ini; it is tried again",
    ),
    WaitKind.SHORT_STREAMS: WaitMeaning(
        GapCause.SERVER_CLOSE,
        ERROR,
        0,
        "find out who else uses the key; or add a spare key",
        "find out who else uses the app, or wait: X closes its stream",
    ),
    WaitKind.BROKEN_STREAMS: WaitMeaning(
        GapCause.NETWORK,
        ERROR,
        _BLIP_S,
        "look at the network and the proxy, and find out who else uses the key; or add a spare key",
        "look at the network and the proxy, and find out who else uses the app",
    ),
    WaitKind.RATE_LIMITED: WaitMeaning(
        GapCause.RATE_LIMITED,
        ERROR,
        0,
        "find out who else uses the key or this address; or add a spare key",
        "find out who else uses the app, or wait",
    ),
    WaitKind.SLOT_HELD: WaitMeaning(
        GapCause.SLOT_HELD, ERROR, 0, "find out who holds the app's connection, or wait until X ends it"
    ),
    WaitKind.RESTS: WaitMeaning(None, ERROR, _BLIP_S, "wait, or add a spare key", "wait"),
    WaitKind.NO_APP: WaitMeaning(None, ERROR, _START_S, "wait; report it when it lasts"),
    WaitKind.NO_BEARER: WaitMeaning(None, ERROR, _START_S, "wait; report it when it lasts"),
    WaitKind.X_AWAY: WaitMeaning(
        GapCause.NETWORK,
        ERROR,
        _BLIP_S,
        "wait; if it lasts, look at the network, the proxy and X's status page",
    ),
    WaitKind.BEARER_REFUSED: WaitMeaning(GapCause.KEY_REFUSED, ERROR, 0, _KEY),
    WaitKind.OUT_OF_CREDIT: WaitMeaning(GapCause.COST, ERROR, 0, "buy credit, or raise X's spending limit"),
    WaitKind.CAPPED: WaitMeaning(
        GapCause.COST, ERROR, 0, "wait until counting begins anew, or raise the cap"
    ),
    WaitKind.FOREIGN_FILTERS: WaitMeaning(
        GapCause.FOREIGN_FILTERS,
        ERROR,
        0,
        "delete these filters at X, or choose another [traptor] foreign_filters",
    ),
    WaitKind.SYNCING: WaitMeaning(None, ERROR, _START_S, "wait; it waits for Redis or for X"),
    WaitKind.NO_FILTERS: WaitMeaning(
        GapCause.RULES_REFUSED, ERROR, _BLIP_S, "see the reason, and --plan for those of single rules"
    ),
    WaitKind.ACTS_SOON: WaitMeaning(None, INFO, 0, "wait"),
    WaitKind.EFFECT: WaitMeaning(
        None, ERROR, _EFFECT_S, "see why the rules have no filter: traptor-supervisor --plan tells"
    ),
}


# The key rests after a failure of this cause, which is the more exact one: a stall, a refused bearer token.
_CAUSES_OF_FAILURES = {
    WaitKind.NETWORK: GapCause.STALL,
    WaitKind.REQUEST_REFUSED: GapCause.KEY_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Wait:
    """One wait: its kind, a text for people, its end (monotonic seconds; None: unknown), and its key."""

    kind: WaitKind
    text: str
    until: float | None = None
    key: str | None = None  # its name

    @classmethod
    def for_key(cls, verdict: ConnectVerdict, key: str, network_error: str) -> Wait:
        """Return the wait for a key that may not connect; for the network, with the error."""
        assert verdict.hindrance is not None
        kind, text = OF_HINDRANCE[verdict.hindrance], verdict.reason
        if kind in _OF_NETWORK and network_error:
            text = f"{text} ({network_error})"
        return cls(kind, text, verdict.not_before, key)

    @classmethod
    def for_app(cls, hold: Hold, key: str, wall_now: float, now: float) -> Wait:
        """Return the wait for an app whose stream may not open."""
        until = None if hold.until is None else hold.until - wall_now + now
        return cls(WaitKind(hold.kind.value), hold.text, until, key)

    def of_refresh(self) -> Wait:
        """Return the same wait of a successor."""
        return replace(self, text=f"refresh waits: {self.text}")

    def cause(self, present: GapCause) -> GapCause:
        """Return the cause of a gap during this wait; `present` is its cause so far."""
        if present is _CAUSES_OF_FAILURES.get(self.kind):
            return present
        return MEANINGS[self.kind].cause or present
