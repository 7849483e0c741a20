"""Gather the whole status, with the problems that are found in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from traptor.common.logs.master import MasterLogs
from traptor.supervisor.connections.context import Context
from traptor.supervisor.fills.overview import nothing_filled
from traptor.supervisor.heartbeats import Heartbeats
from traptor.supervisor.jobs import Jobs
from traptor.supervisor.ledger.keeper import LedgerKeeper
from traptor.supervisor.problems.board import Board, health
from traptor.supervisor.reload import Reload
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.redisuses import RedisUses
from traptor.supervisor.status.headline import headline
from traptor.supervisor.status.latest import Shown
from traptor.supervisor.status.rates import Rates
from traptor.supervisor.status.status import Surroundings, status

if TYPE_CHECKING:
    from traptor.supervisor.xside import XSide


@dataclass(frozen=True, slots=True)
class WholeStatus:
    """Asks all parts of the master how they are."""

    context: Context
    groups: Groups
    logs: MasterLogs
    jobs: Jobs
    uses: RedisUses
    ledger: LedgerKeeper
    heartbeats: Heartbeats
    reload: Reload
    x: XSide | None  # None: API v1.1
    rates: Rates
    shown: Shown
    board: Board = field(default_factory=Board)

    def make(self) -> dict[str, Any]:
        """Return the status as of now, as plain JSON values."""
        self.context.fleet.hear()
        now = time.monotonic()
        around = Surroundings(
            log_lost=self.logs.lost,
            log_fails=self.logs.fails,
            ledger=self.ledger.status(),
            withheld=self.heartbeats.withheld,
            foreign=self.heartbeats.foreign,
            jobs=self.jobs.status(lambda at: time.time() + at - now),
            redis=self.uses.states(g.last_report for g in self.context.fleet.generations),
            reload=self.reload.last,
            reloads=self.reload.made,
            rates=self.rates,
            apps=self.x.status() if self.x is not None else [],
            fills=self.x.fills.status() if self.x is not None else nothing_filled(),
            shown=self.shown,
        )
        shown = status(self.context, self.groups, around, now)
        self.jobs.attempt("problems", lambda: self.board.look(shown, now), None)
        problems = self.board.listed(shown["at"])
        return {**shown, "health": health(problems), "problems": problems}

    def headline(self) -> str:
        """Return the worst of the status in one line, for the service manager."""
        worst = self.board.worst(time.time())
        return headline(worst, len(self.board), self.context.connections.values())
