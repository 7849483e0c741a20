"""What states of keys, groups, Redis, apps and the rest mean for an operator, and what to do about them.

The ways in which a connection waits have their rows in `connections/waits.py`; this module covers the other
states. Pure tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from logging import ERROR, INFO, WARNING

from traptor.common.fills import FillMethod
from traptor.common.redis.state import RedisState
from traptor.supervisor.apps.hold import HoldKind
from traptor.supervisor.keys.conduct.states import Hindrance, KeyState


@dataclass(frozen=True, slots=True)
class StateMeaning:
    """The severity of a state, and what to do about it."""

    level: int
    todo: str
    is_said_elsewhere: bool = False
    say_after_s: float = 0.0


_CHECK_KEY = "check the key's secrets and this host's clock; a changed key is tried at once"
_ANOTHER_USER = "find out who else uses the key"

KEYS: Mapping[KeyState, StateMeaning | None] = {
    KeyState.OK: None,
    KeyState.COOLING: StateMeaning(WARNING, _ANOTHER_USER),
    KeyState.SUSPECT: StateMeaning(WARNING, _CHECK_KEY),
    KeyState.QUARANTINED: StateMeaning(WARNING, _CHECK_KEY),
    KeyState.UNUSABLE: StateMeaning(
        WARNING, "correct its source_address, or bring the address back to this host", is_said_elsewhere=True
    ),
    KeyState.OUT_OF_CREDIT: None,  # its connection tells
    KeyState.GONE: None,  # an operator removed it
}

COOLING: Mapping[Hindrance, bool] = {
    Hindrance.RATE_LIMITED: True,
    Hindrance.CLOSED: True,
    Hindrance.SLOT_HELD: True,
    # The network, the server or the request is to blame, and the connection reports it.
    Hindrance.BROKEN: False,
    Hindrance.NETWORK: False,
    Hindrance.HTTP: False,
    Hindrance.REFUSED: False,
    Hindrance.RESTS: False,
    Hindrance.BUDGET: False,
    # Covered by other states of a key.
    Hindrance.GONE: False,
    Hindrance.UNUSABLE: False,
    Hindrance.SUSPECT: False,
    Hindrance.QUARANTINED: False,
}
"""Whether a key that rests for it is a problem of its own."""

REDIS: Mapping[RedisState, StateMeaning | None] = {
    RedisState.UNKNOWN: None,
    RedisState.OK: None,
    RedisState.AWAY: StateMeaning(WARNING, "bring it back, or correct [redis]", is_said_elsewhere=True),
    RedisState.REFUSED: StateMeaning(WARNING, "do what the error says", is_said_elsewhere=True),
}

HOLDS: Mapping[HoldKind, StateMeaning | None] = {
    HoldKind.BEARER_REFUSED: StateMeaning(ERROR, "check the app's secrets", is_said_elsewhere=True),
    HoldKind.NO_BEARER: StateMeaning(WARNING, "wait; see the log", is_said_elsewhere=True, say_after_s=30.0),
    HoldKind.X_AWAY: StateMeaning(WARNING, "wait; see the log", is_said_elsewhere=True, say_after_s=30.0),
    HoldKind.RATE_LIMITED: StateMeaning(
        WARNING, "find out who else uses the app, or wait", is_said_elsewhere=True, say_after_s=30.0
    ),
    HoldKind.OUT_OF_CREDIT: StateMeaning(
        ERROR, "buy credit at X, or wait for the new month", is_said_elsewhere=True
    ),
    HoldKind.CAPPED: StateMeaning(ERROR, "wait, or raise the cap in [twitter]", is_said_elsewhere=True),
    HoldKind.FOREIGN_FILTERS: StateMeaning(
        ERROR,
        "delete these filters at X, or choose another [traptor] foreign_filters",
        is_said_elsewhere=True,
    ),
    HoldKind.SYNCING: StateMeaning(WARNING, "wait; see the log", is_said_elsewhere=True, say_after_s=60.0),
    HoldKind.NO_FILTERS: None,  # nothing is wanted of it, or its rules wait or are rejected
}


class OutputState:
    """The states of the output, as the status has them."""

    UNKNOWN = "unknown"  # no worker has reported yet
    OK = "ok"
    FAILING = "failing"  # it cannot be written, or confirms nothing
    BEHIND = "behind"  # it takes messages, but the oldest one waits for long


OUTPUT: Mapping[str, StateMeaning | None] = {
    OutputState.UNKNOWN: None,
    OutputState.OK: None,
    OutputState.FAILING: StateMeaning(ERROR, "look at the output; nothing is lost", is_said_elsewhere=True),
    OutputState.BEHIND: StateMeaning(
        WARNING, "look at the output: it takes less than comes in", is_said_elsewhere=True
    ),
}

TRIAL: Mapping[str, StateMeaning | None] = {
    OutputState.UNKNOWN: None,
    OutputState.OK: None,
    OutputState.FAILING: StateMeaning(
        WARNING,
        "do what the error says, or end the trial: empty [traptor] output_trial; the output is not affected",
        say_after_s=10.0,
    ),
    OutputState.BEHIND: StateMeaning(WARNING, "look at the trial's topic: it takes less than comes in"),
}

# A next generation or a drain worker has them sooner.
OWNERLESS = StateMeaning(
    WARNING, "see the connection's log; nothing is lost while state_dir is kept", say_after_s=30.0
)

RULES_SUSPECT = StateMeaning(
    ERROR,
    "restore the rules in Redis, or accept that they are gone: traptorctl reload --accept-empty",
    is_said_elsewhere=True,
)
RULES_REJECTED = StateMeaning(WARNING, "correct the rules, or delete them", is_said_elsewhere=True)
STRAYS = StateMeaning(WARNING, "correct the names of these keys, or delete them", is_said_elsewhere=True)
RULES_UNFIT = StateMeaning(
    ERROR,
    "raise [twitter] rules_per_app if the app may have more, or give some groups an app of their own",
    is_said_elsewhere=True,
)
SYNC_FAILS = StateMeaning(WARNING, "see the error; changes of rules wait meanwhile", is_said_elsewhere=True)
APP_SHARED = StateMeaning(
    ERROR, "stop the other supervisor, or give it an app of its own", is_said_elsewhere=True
)
GAP_UNFILLED = StateMeaning(WARNING, "see the reason; the gap stays", is_said_elsewhere=True)
# Where X does not give the app what was asked for.
GAP_REFUSED: Mapping[FillMethod, StateMeaning] = {
    FillMethod.SEARCH: StateMeaning(
        WARNING, "look whether the app may search the full archive; the gap stays", is_said_elsewhere=True
    ),
    FillMethod.RECOVERY: StateMeaning(
        WARNING, "look whether the app's contract has recovery; the gap stays", is_said_elsewhere=True
    ),
    FillMethod.BACKFILL: StateMeaning(
        WARNING, "look whether the app's contract has backfill; the gap stays", is_said_elsewhere=True
    ),
}
FOREIGN_FILTERS = StateMeaning(
    WARNING, "delete them at X if nobody needs their posts", is_said_elsewhere=True
)
HEARTBEAT = StateMeaning(WARNING, "see why no part of the group streams", is_said_elsewhere=True)
HEARTBEAT_OF_STOPPED = StateMeaning(INFO, "start the connection", is_said_elsewhere=True)
HEARTBEAT_SHARED = StateMeaning(
    WARNING, "stop the other one, or part the groups by [traptor] groups", is_said_elsewhere=True
)
NOTHING_STREAMS = ERROR  # with what most connections wait for, and what to do about it
RELOAD_REFUSED = StateMeaning(
    WARNING, "correct the file; it is read again when it changes", is_said_elsewhere=True
)
LEDGER_FAILS = StateMeaning(
    WARNING, "do what the error says; nothing is lost while the supervisor runs", is_said_elsewhere=True
)
LOG_FAILS = StateMeaning(WARNING, "make room, or create log_dir", is_said_elsewhere=True)
JOB_FAILS = StateMeaning(WARNING, "see supervisor.log", is_said_elsewhere=True)
NOT_READY = StateMeaning(ERROR, "wait; see supervisor.log", say_after_s=10.0, is_said_elsewhere=True)
