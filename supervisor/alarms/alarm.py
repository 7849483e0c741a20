"""One alarm, in parts, and which states of keys, groups and Redis raise one.

The ways in which a connection waits have their rows in `connections/waits.py`; this module covers the other
states. Pure tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from logging import ERROR, WARNING

from traptor.common.redis.state import RedisState
from traptor.supervisor.keys.states import Hindrance, KeyState


class Subject(StrEnum):
    """The kinds of things that an alarm can be about."""

    ALL = "all"
    CONNECTION = "connection"
    KEY = "key"
    GROUP = "group"
    HEARTBEAT = "heartbeat"
    REDIS = "redis"
    APP = "app"  # v2


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something wrong with the `subject` called `name`; times are monotonic seconds.

    A subject with one name has at most one alarm at a time; a change of `kind` or `key` makes it another
    alarm. It counts once it has lasted `say_after_s`. `is_passing`: the subject is recovering, and the
    previous alarm stays. `is_said_elsewhere`: the code that notices the state logs it.
    """

    subject: Subject
    name: str
    kind: str
    why: str
    todo: str
    level: int
    say_after_s: float = 0.0
    until: float | None = None
    key: str | None = None
    rules: int | None = None
    connections: int | None = None
    is_passing: bool = False
    is_said_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Meaning:
    """The severity of a state, and what to do about it."""

    level: int
    todo: str
    is_said_elsewhere: bool = False


_CHECK_KEY = "check the key's secrets and this host's clock; a changed key is tried at once"
_ANOTHER_USER = "find out who else uses the key"

KEYS: Mapping[KeyState, Meaning | None] = {
    KeyState.OK: None,
    KeyState.COOLING: Meaning(WARNING, _ANOTHER_USER),
    KeyState.SUSPECT: Meaning(WARNING, _CHECK_KEY),
    KeyState.QUARANTINED: Meaning(WARNING, _CHECK_KEY),
    KeyState.UNUSABLE: Meaning(
        WARNING, "correct its source_address, or bring the address back to this host", is_said_elsewhere=True
    ),
    KeyState.GONE: None,  # an operator removed it
}

COOLING: Mapping[Hindrance, bool] = {
    Hindrance.RATE_LIMITED: True,
    Hindrance.CLOSED: True,
    Hindrance.SLOT_HELD: True,
    # The network or the server is to blame, and the connection reports it.
    Hindrance.NETWORK: False,
    Hindrance.HTTP: False,
    Hindrance.RESTS: False,
    Hindrance.BUDGET: False,
    # Covered by other states of a key.
    Hindrance.GONE: False,
    Hindrance.UNUSABLE: False,
    Hindrance.SUSPECT: False,
    Hindrance.QUARANTINED: False,
}
"""Whether a key that rests for it is an alarm of its own."""

REDIS: Mapping[RedisState, Meaning | None] = {
    RedisState.UNKNOWN: None,
    RedisState.OK: None,
    RedisState.AWAY: Meaning(WARNING, "see the error", is_said_elsewhere=True),
    RedisState.REFUSED: Meaning(WARNING, "see the error", is_said_elsewhere=True),
}

RULES_SUSPECT = Meaning(
    ERROR, "restore the rules in Redis, or publish a hint for the group", is_said_elsewhere=True
)
HEARTBEAT = Meaning(WARNING, "see why no part of the group streams", is_said_elsewhere=True)
NOTHING_STREAMS = Meaning(ERROR, "see why each connection waits")
RULES_WAIT = Meaning(
    ERROR,
    "raise [twitter] rules_per_app if the app may have more, or give some groups an app of their own",
    is_said_elsewhere=True,
)
FOREIGN_FILTERS = Meaning(
    ERROR,
    "delete these filters at X, or choose another [traptor] foreign_filters",
    is_said_elsewhere=True,
)
SYNC_FAILS = Meaning(WARNING, "see the error; changes of rules wait meanwhile", is_said_elsewhere=True)
