"""The schedule of the chaos, fixed by a seed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

_FIRST_S = 1.0


class Target(StrEnum):
    """The resources that a disturbance reserves while it lasts."""

    SUPERVISOR = "supervisor"
    WORKERS = "workers"
    KAFKA = "kafka"
    REDIS = "redis"
    KEYS = "keys"
    STATE_DISK = "disk of the state"
    LOG_DISK = "disk of the logs"
    OUTPUT_DISK = "disk of the output"


class Kind(StrEnum):
    """All kinds of disturbances, named as in the report."""

    KILL_WORKER = "worker killed"
    KILL_FORKER = "forker killed, and all workers with it"
    STOP_WORKER = "worker stopped for a moment"
    STOP_WORKER_LONG = "worker stopped until it is replaced"
    KILL_SUPERVISOR = "supervisor killed, the next one started"
    STOP_SUPERVISOR = "supervisor stopped for a moment"
    STOP_SUPERVISOR_LONG = "supervisor stopped for long, then killed"
    KILL_KAFKA = "Kafka killed"
    REBUILD_KAFKA = "Kafka rebuilt as another, empty cluster"
    REMAKE_TOPIC = "topic deleted, and made anew with other partitions"
    KILL_REDIS = "Redis killed"
    CHANGE_RULES = "rules changed, with a hint"
    CHANGE_RULES_SILENTLY = "rules changed, without a hint"
    HINT = "hint without a change"
    TAKE_KEYS = "keys taken away"
    ROTATE_SECRET = "secret of a key rotated"  # a word of the report, not a secret
    RELOAD = "reload by SIGHUP"
    BREAK_INI = "reload of a broken ini"
    FILL_STATE = "disk of state_dir filled"
    FILL_LOGS = "disk of log_dir filled"
    FILL_KAFKA = "disk of Kafka filled"
    FILL_OUTPUT = "disk of the output filled"


FULL_DISKS = frozenset({Kind.FILL_STATE, Kind.FILL_LOGS, Kind.FILL_KAFKA, Kind.FILL_OUTPUT})
OF_KAFKA = frozenset({Kind.KILL_KAFKA, Kind.REBUILD_KAFKA, Kind.REMAKE_TOPIC, Kind.FILL_KAFKA})
OF_JSONL = frozenset({Kind.FILL_OUTPUT})


@dataclass(frozen=True, slots=True)
class Habit:
    """The frequency of a kind in a round, what it reserves, and how long it lasts.

    `rest_s` is how long its target is left alone afterwards: a killed process has to come up again.
    """

    per_round: int
    target: Target | None = None
    lasts_s: tuple[float, float] = (0.0, 0.0)
    rest_s: float = 0.0


HABITS = {
    Kind.KILL_WORKER: Habit(6),
    Kind.KILL_FORKER: Habit(1),
    Kind.STOP_WORKER: Habit(3, Target.WORKERS, (0.5, 2.5)),
    Kind.STOP_WORKER_LONG: Habit(2, Target.WORKERS, (12.0, 12.0)),
    Kind.KILL_SUPERVISOR: Habit(
        2, Target.SUPERVISOR, (-6.0, 6.0)
    ),  # half the time the next one comes at once
    Kind.STOP_SUPERVISOR: Habit(1, Target.SUPERVISOR, (0.5, 4.0)),
    Kind.STOP_SUPERVISOR_LONG: Habit(1, Target.SUPERVISOR, (5.0, 10.0), 8.0),
    Kind.KILL_KAFKA: Habit(2, Target.KAFKA, (1.0, 12.0), 20.0),
    Kind.REBUILD_KAFKA: Habit(1, Target.KAFKA, (0.0, 8.0), 20.0),
    Kind.REMAKE_TOPIC: Habit(1, Target.KAFKA, (0.0, 8.0), 10.0),
    Kind.KILL_REDIS: Habit(1, Target.REDIS, (0.5, 8.0), 3.0),
    Kind.CHANGE_RULES: Habit(4, Target.REDIS),
    Kind.CHANGE_RULES_SILENTLY: Habit(3, Target.REDIS),
    Kind.HINT: Habit(3, Target.REDIS),
    Kind.TAKE_KEYS: Habit(3, Target.KEYS, (3.0, 15.0)),
    Kind.ROTATE_SECRET: Habit(2, Target.KEYS),
    Kind.RELOAD: Habit(2, Target.SUPERVISOR),
    Kind.BREAK_INI: Habit(1, Target.SUPERVISOR, (1.0, 5.0)),
    Kind.FILL_STATE: Habit(2, Target.STATE_DISK, (3.0, 12.0), 5.0),
    Kind.FILL_LOGS: Habit(1, Target.LOG_DISK, (2.0, 8.0), 5.0),
    Kind.FILL_KAFKA: Habit(1, Target.KAFKA, (1.0, 6.0), 20.0),
    Kind.FILL_OUTPUT: Habit(2, Target.OUTPUT_DISK, (3.0, 12.0), 5.0),
}


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One entry: its start, its duration, and numbers from 0 to 1 that pick its target."""

    kind: Kind
    at_s: float
    lasts_s: float
    lot: float
    second_lot: float

    @property
    def ends_s(self) -> float:
        """The time at which it is undone, if there is anything to undo."""
        return self.at_s + self.lasts_s


def schedule(seed: int, every_s: float, without: Collection[Kind] = ()) -> Iterator[Disturbance]:
    """Yield disturbances without end, of all kinds but `without`; the same arguments give the same.

    They come in rounds, so that none is rare; each round begins with one of every kind, and the rest is
    shuffled. A disturbance whose target is taken waits.
    """
    rng = Random(seed)
    free_from = dict.fromkeys(Target, 0.0)
    hand: list[Kind] = []
    at_s = _FIRST_S
    while True:
        if len(hand) < len(Kind):
            hand += [kind for kind in _round(rng) if kind not in without]
        kind = _take_free(hand, free_from, at_s)
        if kind is not None:
            disturbance = _deal(rng, kind, at_s)
            _take_target(disturbance, free_from)
            yield disturbance
        at_s += every_s * rng.uniform(0.5, 1.5)


def _round(rng: Random) -> list[Kind]:
    one_each = list(Kind)
    more = [kind for kind, habit in HABITS.items() for _ in range(habit.per_round - 1)]
    rng.shuffle(one_each)
    rng.shuffle(more)
    return one_each + more


def _take_free(hand: list[Kind], free_from: dict[Target, float], at_s: float) -> Kind | None:
    for place, kind in enumerate(hand):
        target = HABITS[kind].target
        if target is None or free_from[target] <= at_s:
            return hand.pop(place)
    return None


def _deal(rng: Random, kind: Kind, at_s: float) -> Disturbance:
    lasts_s = max(0.0, rng.uniform(*HABITS[kind].lasts_s))
    return Disturbance(kind, at_s, lasts_s, rng.random(), rng.random())


def _take_target(disturbance: Disturbance, free_from: dict[Target, float]) -> None:
    habit = HABITS[disturbance.kind]
    if habit.target is not None:
        free_from[habit.target] = disturbance.ends_s + habit.rest_s
