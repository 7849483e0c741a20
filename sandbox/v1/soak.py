"""Soak mode: random faults strike random accounts, again and again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from traptor.sandbox.clock import Clock, Instant
from traptor.sandbox.faults.soakplan import SoakPlan, SoakStrike, schedule
from traptor.sandbox.v1.strikes import Strikes

_KEEP_STRIKES = 100_000


class Soak:
    """Runs at most one plan at a time in the running event loop, and records its strikes."""

    def __init__(self, strikes: Strikes, known_accounts: Callable[[], list[str]], clock: Clock) -> None:
        self._strikes = strikes
        self._known_accounts = known_accounts
        self._clock = clock
        self._plan: SoakPlan | None = None
        self._began: Instant | None = None
        self._schedule: Iterator[SoakStrike] = iter(())
        self._timer: asyncio.TimerHandle | None = None
        self._record: deque[dict[str, Any]] = deque(maxlen=_KEEP_STRIKES)

    def begin(self, plan: SoakPlan) -> None:
        """Strike by this plan from now on; the record is emptied first."""
        self.end()
        self._record.clear()
        self._plan, self._began, self._schedule = plan, self._clock(), schedule(plan)
        self._wait_for_next(self._began)

    def end(self) -> None:
        """Stop striking; faults that wait for connects stay until they end or are cleared."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def as_json(self) -> dict[str, Any]:
        """Return the plan and its strikes so far."""
        return {
            "running": self._timer is not None,
            "plan": self._plan.as_json() if self._plan else None,
            "began_at": self._began.unix if self._began else None,
            "began_mono": self._began.mono if self._began else None,
            "strikes": list(self._record),
        }

    def _wait_for_next(self, began: Instant) -> None:
        strike = next(self._schedule)
        wait_s = began.mono + strike.due_s - self._clock().mono
        self._timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._strike, began, strike)

    def _strike(self, began: Instant, strike: SoakStrike) -> None:
        names = list(self._plan.accounts) if self._plan else []
        account = strike.account(names or self._known_accounts())
        struck: list[int] = []
        if account is not None:
            for fault in strike.faults:
                struck += self._strikes.ask(replace(fault, account=account))
        now = self._clock()
        self._record.append(
            {
                "due_s": strike.due_s,
                "at": now.unix,
                "at_mono": now.mono,
                "account": account,
                "faults": [replace(fault, account=account).as_json() for fault in strike.faults],
                "struck": struck,
            }
        )
        self._wait_for_next(began)
