"""Carry troubles out on a running collection."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from chaos_parts.masters import Masters
from trial.rulebook import GROUPS, Rulebook
from trial.servers import Servers
from trial.smalldisk import SmallDisk
from trial.supervisor import Supervisor
from trial.view import StatusReader

from appchaos_parts.troubles import KILLS_OF_FILLS, Kind, Trouble, drawn
from traptor.sandbox.v2.faults.kinds import DISCONNECT_TYPES

_RULES_FAIL_S = 8.0
_LIMITED_S = 4
_LAG_S = 3.0
_FULL_S = 3.0, 10.0  # how long a disk stays full, unless another one is filled
_ONE_OF_TWO = 0.7  # the share of ends that one of two streams meets alone


@dataclass(frozen=True)
class Victims:
    """Everything that can be disturbed; `app` is the one at the sandbox."""

    app: str
    servers: Servers
    masters: Masters
    supervisor: Supervisor
    status: StatusReader
    rules: Rulebook
    connections: int
    disks: Mapping[Kind, SmallDisk] = field(default_factory=dict)


class Havoc:
    """Carries troubles out when they are due.

    `done` counts by kind, `missed` those that found nobody; `happened` tells when each was begun (monotonic),
    `kills` when workers were killed, and `stalls` when streams fell silent.
    """

    def __init__(self, victims: Victims, troubles: Iterator[Trouble]) -> None:
        self._on = victims
        self._troubles = troubles
        self._next = next(troubles)
        self._until_a_fill: list[Trouble] = []
        self._full_until_s = inf  # of the disk that is full
        self._ways: dict[Kind, Callable[[Trouble], object]] = {
            Kind.KILL_WORKER: self._kill_worker,
            Kind.KILL_SUPERVISOR: self._kill_supervisor,
            Kind.CLOSE: lambda trouble: self._strike("close", trouble),
            Kind.RESET: lambda trouble: self._strike("reset", trouble),
            Kind.VANISH: lambda trouble: self._strike("half_open", trouble),
            Kind.STALL: self._stall,
            Kind.DISCONNECT: self._disconnect,
            Kind.RATE_LIMITED: self._limit_rate,
            Kind.UNAVAILABLE: lambda _: self._refuse(status=503, times=2),
            Kind.RULES_ERROR: self._fail_rules,
            Kind.RULES_LOST: self._lose_answer,
            Kind.RUBBISH: lambda _: self._fault("rubbish"),
            Kind.PARTIAL_ERRORS: lambda _: self._fault("partial_errors", times=5),
            Kind.CHANGE_RULES: self._change_rules,
            Kind.CHANGE_RULES_SILENTLY: self._change_rules_silently,
            Kind.RELOAD: self._reload,
            Kind.FILL_STATE: self._fill_disk,
            Kind.FILL_LOGS: self._fill_disk,
            Kind.FILL_OUTPUT: self._fill_disk,
            Kind.LAG: lambda _: self._fault("lag", lag_s=_LAG_S),
            Kind.KILL_FILLING_WORKER: self._kill_worker,
            Kind.KILL_FILLING_SUPERVISOR: self._kill_supervisor,
            Kind.SEARCH_LIMITED: self._limit_searches,
            Kind.SEARCH_UNAVAILABLE: self._refuse_searches,
            Kind.BACKFILL_TWICE: lambda _: self._fault("backfill_twice", times=1),
            Kind.RECOVERY_CUT: lambda _: self._fault("recovery_cut", times=1),
        }
        self.done: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.happened: list[tuple[float, str]] = []
        self.kills: list[float] = []
        self.stalls: list[float] = []

    def go_on(self, elapsed_s: float) -> list[str]:
        """Do what is due by now; return what was done."""
        if self._full_until_s <= elapsed_s:
            self.free_disks()
        due, self._until_a_fill = self._until_a_fill, []
        while self._next.at_s <= elapsed_s:
            due.append(self._next)
            self._next = next(self._troubles)
        return [told for trouble in due if (told := self._do_or_wait(trouble))]

    def free_disks(self) -> None:
        """Free the disk that is full, if one is."""
        for disk in self._on.disks.values():
            disk.free()
        self._full_until_s = inf

    def _do_or_wait(self, trouble: Trouble) -> str:
        """Do it, unless it is to strike a fill and none is on its way."""
        if trouble.kind in KILLS_OF_FILLS and not self._on.status.look().is_filling:
            self._until_a_fill.append(trouble)
            return ""
        return self._do(trouble)

    def _do(self, trouble: Trouble) -> str:
        name = str(trouble.kind)
        self.happened.append((time.monotonic(), name))
        try:
            self._ways[trouble.kind](trouble)
        except ProcessLookupError:
            self.missed[name] += 1
            return f"{name}: nobody was there"
        self.done[name] += 1
        return name

    def _kill_worker(self, trouble: Trouble) -> None:
        serving = self._on.status.look().serving() if self._on.masters.is_up else {}
        if not serving:
            raise ProcessLookupError
        os.kill(drawn(sorted(serving.values()), trouble.lot), signal.SIGKILL)
        self.kills.append(time.monotonic())

    def _kill_supervisor(self, _: Trouble) -> None:
        self._on.masters.kill()  # its workers go with it
        self.kills.append(time.monotonic())
        self._on.masters.start()

    def _fill_disk(self, trouble: Trouble) -> None:
        """Fill a disk for some seconds; one at a time."""
        self.free_disks()
        self._on.disks[trouble.kind].fill()
        least_s, most_s = _FULL_S
        self._full_until_s = trouble.at_s + least_s + trouble.lot * (most_s - least_s)

    def _reload(self, _: Trouble) -> None:
        if not self._on.masters.is_up:  # a starting one would die of a signal
            raise ProcessLookupError
        self._on.supervisor.reload()

    def _fault(self, kind: str, **fields: object) -> list[int]:
        """Request a fault; return the connections that it struck at once."""
        return list(self._on.servers.sandbox.v2.fault(kind, app=self._on.app, **fields)["struck"])

    def _strike(self, kind: str, trouble: Trouble, **fields: object) -> list[int]:
        """Strike the only open stream; of two mostly one, else both. Return which."""
        if self._on.connections > 1 and trouble.lot < _ONE_OF_TWO:
            streams = [
                one["id"]
                for one in self._on.servers.sandbox.v2.connections()
                if one["closed_mono"] is None and not one["recovery"]
            ]
            if streams:
                fields["connection"] = drawn(streams, trouble.second_lot)
        return self._fault(kind, **fields)

    def _stall(self, trouble: Trouble) -> None:
        """Leave a stream open without a byte, not even a keep-alive, until its worker gives it up."""
        began = time.monotonic()
        if self._strike("stall", trouble):
            self.stalls.append(began)

    def _disconnect(self, trouble: Trouble) -> None:
        then = drawn(("close", "silence"), trouble.second_lot)
        self._strike("disconnect", trouble, disconnect_type=drawn(DISCONNECT_TYPES, trouble.lot), then=then)

    def _refuse(self, **answer: object) -> None:
        """Have the next connects refused, and see to it that there is one."""
        self._fault("status", **answer)
        self._fault("close")

    def _limit_rate(self, _: Trouble) -> None:
        """Refuse the next connect, until soon: X may ask for a quarter of an hour."""
        until = {"x-rate-limit-reset": str(int(time.time()) + _LIMITED_S)}
        self._refuse(problem="rate-limit", times=1, headers=until)

    def _limit_searches(self, _: Trouble) -> None:
        """Refuse the next search for a while: without a word of X's, a fill waits for a minute."""
        self._fault("status", endpoint="search_all", problem="rate-limit", times=1, retry_after=_LIMITED_S)

    def _refuse_searches(self, _: Trouble) -> None:
        self._fault("status", endpoint="search_all", status=503, times=2)

    def _fail_rules(self, _: Trouble) -> None:
        self._fault("status", endpoint="rules_change", status=500, seconds=_RULES_FAIL_S)

    def _lose_answer(self, trouble: Trouble) -> None:
        self._fault("lost_answer", endpoint="rules_change", times=1)
        self._change_rules(trouble)

    def _change_rules(self, trouble: Trouble) -> None:
        self._change_rules_silently(trouble)
        self._on.rules.hint(drawn(GROUPS, trouble.lot))

    def _change_rules_silently(self, trouble: Trouble) -> None:
        self._on.rules.change(drawn(GROUPS, trouble.lot))
