"""What happens to an app's collection, and when, fixed by a seed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypeVar

from chaos_parts.schedule import Kind as OfAll

_FIRST_S = 1.0
T = TypeVar("T")


class Kind(StrEnum):
    """All kinds of troubles, named as in the report."""

    KILL_WORKER = "worker killed"
    KILL_SUPERVISOR = "supervisor killed, the next one started"
    CLOSE = "stream closed"
    RESET = "stream reset"
    VANISH = "stream half open"
    STALL = "stream stalled"
    DISCONNECT = "operational disconnect"
    RATE_LIMITED = "429 at the next connect"
    UNAVAILABLE = "503 at the next connects"
    RULES_ERROR = "rules endpoint answers 500"
    RULES_LOST = "answer of a rule change lost"
    RUBBISH = "rubbish in the stream"
    PARTIAL_ERRORS = "partial errors"
    CHANGE_RULES = "rules changed, with a hint"
    CHANGE_RULES_SILENTLY = "rules changed, without a hint"
    RELOAD = "reload by SIGHUP"
    # As in the chaos of v1.1:
    FILL_STATE = OfAll.FILL_STATE.value
    FILL_LOGS = OfAll.FILL_LOGS.value
    FILL_OUTPUT = OfAll.FILL_OUTPUT.value
    # With two connections:
    LAG = "one of two connections lags"
    # With fills; the kills wait until a gap is being filled:
    KILL_FILLING_WORKER = "worker killed while a gap is filled"
    KILL_FILLING_SUPERVISOR = "supervisor killed while a gap is filled"
    SEARCH_LIMITED = "429 at the next search"
    SEARCH_UNAVAILABLE = "503 at the next searches"
    BACKFILL_TWICE = "the next backfill brings posts twice"
    RECOVERY_CUT = "the next recovery ends early"


FULL_DISKS = frozenset({Kind.FILL_STATE, Kind.FILL_LOGS, Kind.FILL_OUTPUT})
OF_TWO = frozenset({Kind.LAG})
KILLS_OF_FILLS = frozenset({Kind.KILL_FILLING_WORKER, Kind.KILL_FILLING_SUPERVISOR})
OF_SEARCHES = KILLS_OF_FILLS | {Kind.SEARCH_LIMITED, Kind.SEARCH_UNAVAILABLE}
OF_RECOVERIES = KILLS_OF_FILLS | {Kind.BACKFILL_TWICE, Kind.RECOVERY_CUT}
USUAL = frozenset(Kind) - OF_TWO - OF_SEARCHES - OF_RECOVERIES
_PER_ROUND = {Kind.CHANGE_RULES: 6, Kind.CHANGE_RULES_SILENTLY: 2, Kind.KILL_WORKER: 3}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One entry: its start, and numbers from 0 to 1 that pick what is left open."""

    kind: Kind
    at_s: float
    lot: float
    second_lot: float


def per_round(kinds: Collection[Kind]) -> list[Kind]:
    """Return what happens in each round."""
    return [kind for kind in Kind if kind in kinds for _ in range(_PER_ROUND.get(kind, 1))]


def troubles(seed: int, every_s: float, kinds: Collection[Kind] = USUAL) -> Iterator[Trouble]:
    """Yield troubles of these kinds without end, in shuffled rounds; the same arguments give the same."""
    rng = Random(seed)
    at_s = _FIRST_S
    while True:
        one_round = per_round(kinds)
        rng.shuffle(one_round)
        for kind in one_round:
            yield Trouble(kind, at_s, rng.random(), rng.random())
            at_s += every_s * rng.uniform(0.5, 1.5)


def drawn(choices: Sequence[T], lot: float) -> T:
    """Return the choice that a number from 0 to 1 picks."""
    return choices[int(lot * len(choices))]
