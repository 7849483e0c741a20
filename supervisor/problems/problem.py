"""One problem, in parts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Subject(StrEnum):
    """The kinds of things that a problem can be about, the most important first."""

    ALL = "all"
    CONNECTION = "connection"
    APP = "app"
    OUTPUT = "output"
    OUTBOX = "outbox"
    TRIAL = "trial"
    GROUP = "group"
    KEY = "key"
    RULES = "rules"
    HEARTBEAT = "heartbeat"
    REDIS = "redis"
    RELOAD = "reload"
    JOB = "job"
    LEDGER = "ledger"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """Something wrong with the `subject` called `name`; times are Unix seconds.

    A subject with one name has at most one problem of a kind at a time, and a connection or key only one at
    all: then a change of `kind` or `key` makes it another one. It counts once it has lasted `say_after_s`.
    `rules`: so many are not collected. `since` None: since it was first found. `is_passing`: the subject is
    recovering, and the previous problem stays. `is_said_elsewhere`: the code that notices the state logs it.
    """

    subject: Subject
    name: str
    kind: str
    why: str
    todo: str
    level: int
    say_after_s: float = 0.0
    since: float | None = None
    until: float | None = None
    key: str | None = None
    rules: int | None = None
    connections: int | None = None
    is_passing: bool = False
    is_said_elsewhere: bool = False

    @property
    def rank(self) -> tuple[int, int, int]:
        """The sort key of lists: by level, then by subject in their order, then by number of rules."""
        return -self.level, list(Subject).index(self.subject), -(self.rules or 0)
