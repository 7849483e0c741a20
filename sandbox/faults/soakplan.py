"""The plan of a soak: which faults strike which account when, fixed by a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from traptor.sandbox.errors import BadInput
from traptor.sandbox.faults.fault import CONNECT_KINDS, Fault, FaultKind, Target

DEFAULT_EVERY_S = 10.0
_FIELDS = ("seed", "every_s", "kinds", "accounts")
_ENDINGS = (FaultKind.CLOSE, FaultKind.RESET, FaultKind.DISCONNECT)
_WAIT_S = 60.0  # a fault of connects that strikes nobody is forgotten
_STALL_S = (1.0, 10.0)
_LATE_S = (0.1, 2.0)
_REFUSALS = ((503, 1), (500, 1), (420, 2), (429, 2))  # status, and the seconds of Retry-After
_CODES = (4, 6, 9, 10, 12)  # Twitter, "Streaming message types": codes after which a client reconnects


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """The definition of a soak: the same plan strikes the same accounts with the same faults."""

    seed: int
    every_s: float = DEFAULT_EVERY_S  # on average
    kinds: tuple[FaultKind, ...] = tuple(FaultKind)
    accounts: tuple[str, ...] = ()  # empty: those that the sandbox knows at the time of the strike

    def as_json(self) -> dict[str, Any]:
        """Return the plan as the API takes it."""
        return {
            "seed": self.seed,
            "every_s": self.every_s,
            "kinds": self.kinds,
            "accounts": self.accounts or None,
        }


@dataclass(frozen=True, slots=True)
class SoakStrike:
    """One entry of the schedule: faults that strike one account together."""

    due_s: float  # after the start
    faults: tuple[Fault, ...]
    lot: float  # 0 to 1: picks one of the accounts, in the order of their names

    def account(self, names: list[str]) -> str | None:
        """Return the account that it strikes, or None when there is none."""
        return sorted(names)[int(self.lot * len(names))] if names else None


def schedule(plan: SoakPlan) -> Iterator[SoakStrike]:
    """Yield the strikes of a plan, without end."""
    rng = Random(plan.seed)
    due_s = 0.0
    while True:
        due_s += plan.every_s * rng.uniform(0.5, 1.5)
        yield SoakStrike(due_s, _faults(rng, plan.kinds), rng.random())


def _faults(rng: Random, kinds: tuple[FaultKind, ...]) -> tuple[Fault, ...]:
    fault = _fault(rng, rng.choice(kinds))
    if fault.kind not in CONNECT_KINDS or fault.kind is FaultKind.REFUSE_SECOND:
        return (fault,)
    # Only a client that has to connect meets it, so the stream ends as well.
    endings = [kind for kind in _ENDINGS if kind in kinds] or [FaultKind.CLOSE]
    return (fault, _fault(rng, rng.choice(endings)))


def _fault(rng: Random, kind: FaultKind) -> Fault:
    if kind not in CONNECT_KINDS:
        stall_s = round(rng.uniform(*_STALL_S), 1) if kind is FaultKind.STALL else None
        return Fault(kind, on=Target.STREAMS, seconds=stall_s, code=rng.choice(_CODES))
    fault = Fault(kind, times=1, seconds=_WAIT_S)
    if kind in (FaultKind.SLOW_START, FaultKind.CLOSE_AFTER):
        return replace(fault, after=round(rng.uniform(*_LATE_S), 1))
    status, retry_s = rng.choice(_REFUSALS if kind is FaultKind.STATUS else _REFUSALS[2:])
    return replace(fault, status=status, headers={"Retry-After": str(retry_s)})


def parse_soak(request: object) -> SoakPlan:
    """Read the body of a request to begin a soak. Raises BadInput."""
    if not isinstance(request, dict) or "seed" not in request:
        raise BadInput('a soak is an object like {"seed": 1, "every_s": 10, "kinds": ["close", "stall"]}')
    if unknown := request.keys() - set(_FIELDS):
        raise BadInput(f"{', '.join(sorted(unknown))}: none of {', '.join(_FIELDS)}")
    seed = request["seed"]
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise BadInput("seed: a whole number is expected")
    kinds = _names("kinds", request.get("kinds"))
    if unknown_kinds := set(kinds) - set(FaultKind):
        raise BadInput(f"kinds: {', '.join(sorted(unknown_kinds))} is none of {', '.join(FaultKind)}")
    return SoakPlan(
        seed,
        _every_s(request.get("every_s")),
        tuple(FaultKind(kind) for kind in kinds) or tuple(FaultKind),
        _names("accounts", request.get("accounts")),
    )


def _every_s(number: object) -> float:
    if number is None:
        return DEFAULT_EVERY_S
    if not isinstance(number, (int, float)) or isinstance(number, bool) or not 0.01 <= number < math.inf:
        raise BadInput("every_s: a number of seconds from 0.01 is expected")
    return float(number)


def _names(field: str, names: object) -> tuple[str, ...]:
    if names is None:
        return ()
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadInput(f"{field}: a list of names or null is expected")
    return tuple(dict.fromkeys(names))
