"""Keep the state of each use of Redis, and log its changes.

Each client reports the result of each attempt, so that the status is never more than one attempt behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import redis.asyncio

from traptor.common.logs.event import fields
from traptor.common.messages import Report
from traptor.common.redis.client import state_after, unavailable
from traptor.common.redis.state import RedisState

log = logging.getLogger(__name__)


class RedisUse(StrEnum):
    """The uses of Redis."""

    RULES = "rules"
    SUBSCRIPTION = "subscription"
    HEARTBEATS = "heartbeats"
    GAP_MIRROR = "gap mirror"
    COUNTERS = "counters"  # by the workers


EFFECTS: Mapping[RedisUse, str] = {
    RedisUse.RULES: "rule changes are not noticed",
    RedisUse.SUBSCRIPTION: "hints are not received",
    RedisUse.HEARTBEATS: "rule managers see no heartbeat of any group",
    RedisUse.GAP_MIRROR: "new gaps wait to be mirrored to Redis",
    RedisUse.COUNTERS: "totals wait, statistics are missing",
}

Tell = Callable[[BaseException | None], None]
"""Told after each try what it failed with, or None when it worked."""


@dataclass(frozen=True, slots=True)
class UseState:
    """The state of one use and since when (Unix time), and the last error while it fails."""

    state: RedisState = RedisState.UNKNOWN
    since: float | None = None
    error: str | None = None


class RedisUses:
    """Keeps the states of all Redis clients of the master.

    An outage is logged once for all uses; a refusal for each, as the reasons may differ. Each is said anew
    only after its use has worked: one that is refused and then away, in turns, has one trouble.
    """

    def __init__(self, something_runs: Callable[[], bool], clock: Callable[[], float] = time.time) -> None:
        self._something_runs = something_runs
        self._clock = clock
        own = [use for use in RedisUse if use is not RedisUse.COUNTERS]
        self._uses: dict[RedisUse, UseState] = dict.fromkeys(own, UseState())
        self._counters = UseState()  # the workers report their own
        self._away_is_said = False
        self._refused_are_said: set[RedisUse] = set()

    def teller(self, use: RedisUse, client: redis.asyncio.Redis) -> Tell:
        """Return the function that the user of `client` calls after each attempt."""

        def tell(error: BaseException | None) -> None:
            if error is None:
                self._note(use, RedisState.OK, None)
            else:
                self._note(use, state_after(error), str(unavailable(client, error)))

        return tell

    def states(self, reports: Iterable[Report | None] = ()) -> dict[RedisUse, UseState]:
        """Return the state of each use; the counters' by `reports`, each worker's last one, if any."""
        state, error = _counters([report for report in reports if report is not None])
        before = self._counters
        since = before.since if before.state is state else self._clock()
        self._counters = UseState(state, since, error)
        return {**self._uses, RedisUse.COUNTERS: self._counters}

    def _note(self, use: RedisUse, state: RedisState, error: str | None) -> None:
        before = self._uses[use]
        since = before.since if before.state is state else self._clock()
        self._uses[use] = UseState(state, since, error)
        if before.state is not state:
            self._say_change(use, state, error)

    def _say_change(self, use: RedisUse, now: RedisState, error: str | None) -> None:
        if now is RedisState.REFUSED and use not in self._refused_are_said:
            self._refused_are_said.add(use)
            about = fields(used_for=use, error=error, effect=self._effect(EFFECTS[use]))
            log.log(self._level(), "Redis refuses", extra=about)
        elif now is RedisState.AWAY and not self._away_is_said:
            self._away_is_said = True
            about = fields(used_for=use, error=error, effect=self._effect("nothing changes until it is back"))
            log.log(self._level(), "Redis is away", extra=about)
        elif now is RedisState.OK and use in self._refused_are_said:
            self._refused_are_said.remove(use)
            log.info("Redis accepts requests again", extra=fields(used_for=use))
        if self._away_is_said and overall(self._uses) is RedisState.OK:
            self._away_is_said = False
            log.info("Redis is back")

    def _level(self) -> int:
        return logging.WARNING if self._something_runs() else logging.ERROR

    def _effect(self, effect: str) -> str:
        runs = self._something_runs()
        return f"running streams continue; {effect}" if runs else "nothing can start before it works"


def overall(uses: Mapping[RedisUse, UseState]) -> RedisState:
    """Return the worst of all states."""
    states = {use.state for use in uses.values()}
    for state in (RedisState.AWAY, RedisState.REFUSED, RedisState.OK):
        if state in states:
            return state
    return RedisState.UNKNOWN


def _counters(reports: Sequence[Report]) -> tuple[RedisState, str | None]:
    """Return the worst state that workers report of their counters, with its error."""
    for state in (RedisState.AWAY, RedisState.REFUSED, RedisState.OK):
        for report in reports:
            if report.redis_state is state:
                return state, report.redis_error or None
    return RedisState.UNKNOWN, None
