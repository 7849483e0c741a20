"""List the keys that cannot be used now, and why."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from traptor.supervisor.checks.moments import moment
from traptor.supervisor.keys.conduct.states import KeyState, KeyStatus

_WHY = {
    KeyState.QUARANTINED: "the server answered 401 or 403; check the secrets and the clock of this host",
    KeyState.SUSPECT: "it streams, but another connect was answered with 401 or 403; check the secrets",
    KeyState.COOLING: "it rests after failures",
    KeyState.OUT_OF_CREDIT: "X gives its app no more posts for money",
    KeyState.UNUSABLE: "its source_address is not on this host",
}


def idle_keys(statuses: Iterable[KeyStatus], now: float) -> Iterator[str]:
    """Yield a sentence for each key of a pool that may not connect now; `now` is monotonic."""
    for key in statuses:
        until = None if key.not_before is None else key.not_before - now + time.time()
        yield from idle_key(key.name, key.state, key.budget_left, until)


def idle_key(name: str, state: str, budget_left: int | None, until_unix: float | None) -> Iterator[str]:
    """Yield a sentence if the key may not connect now."""
    until = f" until {moment(until_unix)}" if until_unix is not None else ""
    if state in _WHY:
        yield f"key {name} is {state}{until}: {_WHY[KeyState(state)]}"
    elif budget_left == 0:
        yield f"key {name} has no connects left{until}"
