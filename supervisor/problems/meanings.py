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
class LinePair:
    """The log events with which the code that notices a state says its begin, at its level, and its end."""

    begins: str
    ends: str | None  # None: nothing ends it but time, or nobody can know


@dataclass(frozen=True, slots=True)
class StateMeaning:
    """The severity of a state, and what to do about it.

    `said`: the log lines of the code that notices it, one pair for each way in which it comes about; without
    any, the watch of the problems logs it.
    """

    level: int
    todo: str
    said: tuple[LinePair, ...] = ()
    say_after_s: float = 0.0

    @property
    def is_said_elsewhere(self) -> bool:
        """Whether the code that notices the state logs it."""
        return bool(self.said)


_NO_ADDRESS = LinePair(
    "source address is not on this host, the key is not used", "source address is on this host again"
)
_REDIS_AWAY = LinePair("Redis is away", "Redis is back")
_REDIS_REFUSES = LinePair("Redis refuses", "Redis accepts requests again")
_BEARER_REFUSED = LinePair("bearer token refused", "bearer token is tried again")
_NO_BEARER = LinePair("bearer token not fetched", "bearer token fetched")
_NO_CHANGES = LinePair("filters cannot be changed", "filters can be changed again")
_NO_CREDIT = LinePair("out of credit", "credit again")
_FOREIGN = LinePair("filters of others stand in the app", "filters of others are gone")
_OF_CONNECTION = LinePair("rules are not collected", "rules no longer wait")
_KAFKA_AWAY = LinePair("waiting for Kafka", "Kafka is reached")
_LINES_FAIL = LinePair("waiting for the output", "the output works again")
_UNCONFIRMED = LinePair("the output confirms nothing", "the output confirms messages again")
_BACKLOG = LinePair("messages wait in the outbox", "all that waited in the outbox is delivered")
_REJECTED = LinePair("rule rejected", "rule no longer rejected")
_UNFILLED = LinePair("a gap could not be filled", None)
_NO_HEARTBEAT = LinePair("heartbeat withheld", "heartbeat is written again")


_CHECK_KEY = "check the key's secrets and this host's clock; a changed key is tried at once"
_ANOTHER_USER = "find out who else uses the key"

KEYS: Mapping[KeyState, StateMeaning | None] = {
    KeyState.OK: None,
    KeyState.COOLING: StateMeaning(WARNING, _ANOTHER_USER),
    KeyState.SUSPECT: StateMeaning(WARNING, _CHECK_KEY),
    KeyState.QUARANTINED: StateMeaning(WARNING, _CHECK_KEY),
    KeyState.UNUSABLE: StateMeaning(
        WARNING, "correct its source_address, or bring the address back to this host", (_NO_ADDRESS,)
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
    RedisState.AWAY: StateMeaning(WARNING, "bring it back, or correct [redis]", (_REDIS_AWAY,)),
    RedisState.REFUSED: StateMeaning(WARNING, "do what the error says", (_REDIS_REFUSES,)),
}

HOLDS: Mapping[HoldKind, StateMeaning | None] = {
    HoldKind.BEARER_REFUSED: StateMeaning(ERROR, "check the app's secrets", (_BEARER_REFUSED, _NO_BEARER)),
    HoldKind.NO_BEARER: StateMeaning(WARNING, "wait; see the log", (_NO_BEARER,), 30.0),
    HoldKind.X_AWAY: StateMeaning(WARNING, "wait; see the log", (_NO_BEARER, _NO_CHANGES), 30.0),
    HoldKind.RATE_LIMITED: StateMeaning(
        WARNING, "find out who else uses the app, or wait", (_NO_BEARER, _NO_CHANGES), 30.0
    ),
    HoldKind.OUT_OF_CREDIT: StateMeaning(
        ERROR, "buy credit at X, or wait for the new month", (_NO_CREDIT, _NO_BEARER)
    ),
    HoldKind.CAPPED: StateMeaning(ERROR, "wait, or raise the cap in [twitter]", (_OF_CONNECTION,)),
    HoldKind.FOREIGN_FILTERS: StateMeaning(
        ERROR, "delete these filters at X, or choose another [traptor] foreign_filters", (_FOREIGN,)
    ),
    HoldKind.SYNCING: StateMeaning(ERROR, "wait; see the log", (_OF_CONNECTION,), 60.0),
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
    OutputState.FAILING: StateMeaning(
        ERROR, "look at the output; nothing is lost", (_KAFKA_AWAY, _LINES_FAIL, _UNCONFIRMED)
    ),
    OutputState.BEHIND: StateMeaning(WARNING, "look at the output: it takes less than comes in", (_BACKLOG,)),
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
    (LinePair("rules suspect", "rules are no longer suspect"),),
)
RULES_REJECTED = StateMeaning(WARNING, "correct the rules, or delete them", (_REJECTED,))
RULES_MOSTLY_REJECTED = StateMeaning(ERROR, "correct the rules, or delete them")
STRAYS = StateMeaning(WARNING, "correct the names of these keys, or delete them", (_REJECTED,))
RULES_UNFIT = StateMeaning(
    ERROR,
    "raise [twitter] rules_per_app if the app may have more, or give some groups an app of their own",
    (LinePair("rules wait for a filter", "no rule waits for a filter"),),
)
SYNC_FAILS = StateMeaning(WARNING, "see the error; changes of rules wait meanwhile", (_NO_CHANGES,))
APP_SHARED = StateMeaning(
    ERROR,
    "stop the other supervisor, or give it an app of its own",
    (LinePair("another program changes the app's filters", "no other program's filters are left"),),
)
GAP_UNFILLED = StateMeaning(WARNING, "see the reason; the gap stays", (_UNFILLED,))
# Where X does not give the app what was asked for.
GAP_REFUSED: Mapping[FillMethod, StateMeaning] = {
    FillMethod.SEARCH: StateMeaning(
        WARNING, "look whether the app may search the full archive; the gap stays", (_UNFILLED,)
    ),
    FillMethod.RECOVERY: StateMeaning(
        WARNING, "look whether the app's contract has recovery; the gap stays", (_UNFILLED,)
    ),
    FillMethod.BACKFILL: StateMeaning(
        WARNING, "look whether the app's contract has backfill; the gap stays", (_UNFILLED,)
    ),
}
FOREIGN_FILTERS = StateMeaning(WARNING, "delete them at X if nobody needs their posts", (_FOREIGN,))
HEARTBEAT = StateMeaning(
    WARNING, "see why none of its rules is collected: traptorctl explain and the group", (_NO_HEARTBEAT,)
)
HEARTBEAT_SOON = StateMeaning(INFO, "wait", (_NO_HEARTBEAT,))
HEARTBEAT_OF_STOPPED = StateMeaning(INFO, "start the connection", (_NO_HEARTBEAT,))
HEARTBEAT_SHARED = StateMeaning(
    WARNING,
    "stop the other one, or part the groups by [traptor] groups",
    (LinePair("somebody else writes this heartbeat", None),),
)
NOTHING_STREAMS = ERROR  # with what most connections wait for, and what to do about it
RELOAD_REFUSED = StateMeaning(
    WARNING,
    "correct the file; it is read again when it changes",
    (LinePair("reload refused", "reloaded"),),
)
LEDGER_FAILS = StateMeaning(
    WARNING,
    "do what the error says; nothing is lost while the supervisor runs",
    (LinePair("the gap ledger is not written, it is kept in memory", "the gap ledger is written again"),),
)
LOG_FAILS = StateMeaning(WARNING, "make room, or create log_dir", (LinePair("log lines lost", None),))
JOB_FAILS = StateMeaning(
    ERROR,
    "see supervisor.log",
    (LinePair("a job of the master failed, it is restarted", "a job of the master works again"),),
)
NOT_READY = StateMeaning(ERROR, "wait; see supervisor.log", say_after_s=10.0)
