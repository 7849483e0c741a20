"""Carry out the schedule on a running collection, and undo what lasts."""

from __future__ import annotations

import heapq
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trial.judge import Silence
from trial.rulebook import GROUPS, Rulebook
from trial.servers import Servers
from trial.smalldisk import SmallDisk
from trial.supervisor import Supervisor
from trial.view import StatusReader

from chaos_parts.clusters import Clusters, Undo
from chaos_parts.keyring import Keyring
from chaos_parts.masters import Masters
from chaos_parts.schedule import Disturbance, Kind

_AGAIN_S = 0.5
_MOST_KEYS_AWAY = 5  # one more than there are spares: some connection waits for a key
_BROKEN_LINE = "[supervisor\n"


@dataclass(frozen=True)
class Victims:
    """Everything that can be disturbed."""

    servers: Servers
    clusters: Clusters
    masters: Masters
    supervisor: Supervisor
    status: StatusReader
    rules: Rulebook
    keyring: Keyring
    ini: Path
    disks: Mapping[Kind, SmallDisk]


@dataclass(order=True)
class _Undoing:
    """The end of a disturbance, and its time; it returns what to try next, or again, or None."""

    at_s: float
    number: int  # orders two at the same time
    undo: Undo = field(compare=False)


class Havoc:
    """Carries out a schedule; `done` counts by kind, `missed` those that found no target."""

    def __init__(self, victims: Victims, disturbances: Iterator[Disturbance]) -> None:
        self._on = victims
        self._disturbances = disturbances
        self._next = next(disturbances)
        self._undoings: list[_Undoing] = []
        self._ways: dict[Kind, Callable[[Disturbance], Undo | None]] = {
            Kind.KILL_WORKER: self._kill_worker,
            Kind.KILL_FORKER: self._kill_forker,
            Kind.STOP_WORKER: self._stop_worker,
            Kind.STOP_WORKER_LONG: self._stop_worker,
            Kind.KILL_SUPERVISOR: self._kill_supervisor,
            Kind.STOP_SUPERVISOR: self._stop_supervisor,
            Kind.STOP_SUPERVISOR_LONG: self._stop_and_kill_supervisor,
            Kind.KILL_KAFKA: victims.clusters.kill,
            Kind.REBUILD_KAFKA: victims.clusters.rebuild,
            Kind.REMAKE_TOPIC: victims.clusters.remake_topic,
            Kind.KILL_REDIS: self._kill_redis,
            Kind.CHANGE_RULES: self._change_rules,
            Kind.CHANGE_RULES_SILENTLY: self._change_rules_silently,
            Kind.HINT: self._hint,
            Kind.TAKE_KEYS: self._take_keys,
            Kind.ROTATE_SECRET: self._rotate_secret,
            Kind.RELOAD: self._reload,
            Kind.BREAK_INI: self._break_ini,
            Kind.FILL_STATE: self._fill_disk,
            Kind.FILL_LOGS: self._fill_log_disk,
            Kind.FILL_KAFKA: self._fill_kafka_disk,
            Kind.FILL_OUTPUT: self._fill_disk,
        }
        self.done: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.stops: list[Silence] = []  # of workers: their streams were unobserved meanwhile
        self.blind: list[tuple[float, float]] = []  # when supervisor.log could not be written

    def go_on(self, elapsed_s: float) -> list[str]:
        """Do what is due by now, in order; return what was done."""
        told = []
        while min(self._next.at_s, self._undo_at_s()) <= elapsed_s:
            if self._undo_at_s() <= self._next.at_s:
                self._undo(heapq.heappop(self._undoings), elapsed_s)
            else:
                told.append(self._do(self._next))
                self._next = next(self._disturbances)
        return told

    def undo_all(self) -> None:
        """End everything that lasts, and wait until it has ended."""
        while self._undoings:
            if self._undo(heapq.heappop(self._undoings), 0.0):
                time.sleep(_AGAIN_S)

    def _undo(self, undoing: _Undoing, now_s: float) -> bool:
        """Undo a disturbance; return whether more remains to be done."""
        again = undoing.undo()
        if callable(again):
            heapq.heappush(self._undoings, _Undoing(now_s + _AGAIN_S, undoing.number, again))
        return callable(again)

    def _undo_at_s(self) -> float:
        return self._undoings[0].at_s if self._undoings else float("inf")

    def _do(self, disturbance: Disturbance) -> str:
        name = str(disturbance.kind)
        try:
            undo = self._ways[disturbance.kind](disturbance)
        except ProcessLookupError:
            self.missed[name] += 1
            return f"{name}: nobody was there"
        self.done[name] += 1
        if undo is not None:
            number = self.done.total()
            heapq.heappush(self._undoings, _Undoing(disturbance.ends_s, number, undo))
        return f"{name}, {disturbance.lasts_s:.1f} s" if disturbance.lasts_s else name

    # ---- workers

    def _kill_worker(self, disturbance: Disturbance) -> None:
        _, pid = self._worker(disturbance)
        os.kill(pid, signal.SIGKILL)

    def _kill_forker(self, _: Disturbance) -> None:
        self._need_supervisor()
        self._on.masters.kill_forker()

    def _stop_worker(self, disturbance: Disturbance) -> Undo:
        name, pid = self._worker(disturbance)
        os.kill(pid, signal.SIGSTOP)
        stopped_at = time.monotonic()

        def go_on() -> None:
            self.stops.append(Silence(name, stopped_at, time.monotonic()))
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass  # it was replaced

        return go_on

    def _worker(self, disturbance: Disturbance) -> tuple[str, int]:
        """Return a worker that serves a connection now, and its pid. Raises ProcessLookupError."""
        serving = self._on.status.look().serving() if self._on.masters.is_up else {}
        if not serving:
            raise ProcessLookupError
        name = _drawn(sorted(serving), disturbance.lot)
        return name, serving[name]

    # ---- disks

    def _fill_disk(self, disturbance: Disturbance) -> Undo:
        disk = self._on.disks[disturbance.kind]
        disk.fill()
        return disk.free

    def _fill_log_disk(self, disturbance: Disturbance) -> Undo:
        filled_at, free = time.monotonic(), self._fill_disk(disturbance)

        def undo() -> None:
            free()
            self.blind.append((filled_at, time.monotonic()))

        return undo

    def _fill_kafka_disk(self, disturbance: Disturbance) -> Undo:
        """Fill Kafka's disk; the broker then ends by itself, or is ended: only a restart heals it."""
        free = self._fill_disk(disturbance)

        def start_anew() -> None:
            free()
            self._on.clusters.start_anew()

        return start_anew

    # ---- the supervisor

    def _kill_supervisor(self, _: Disturbance) -> Undo:
        self._on.masters.kill()
        return self._on.masters.start

    def _stop_supervisor(self, _: Disturbance) -> Undo:
        self._on.supervisor.pause()
        return self._on.supervisor.resume

    def _stop_and_kill_supervisor(self, _: Disturbance) -> Undo:
        self._on.supervisor.pause()

        def replace() -> None:
            self._on.masters.kill()
            self._on.masters.start()

        return replace

    def _reload(self, _: Disturbance) -> None:
        self._need_supervisor()
        self._on.supervisor.reload()

    def _break_ini(self, _: Disturbance) -> Undo:
        self._need_supervisor()
        whole = self._on.ini.read_text()
        self._on.ini.write_text(whole + _BROKEN_LINE)
        self._on.supervisor.reload()

        def mend() -> None:
            self._on.ini.write_text(whole)
            self._on.supervisor.reload()

        return mend

    def _need_supervisor(self) -> None:
        """Raise ProcessLookupError unless a supervisor is up: a starting one would die of a signal."""
        if not self._on.masters.is_up:
            raise ProcessLookupError

    # ---- the servers

    def _kill_redis(self, _: Disturbance) -> Undo:
        self._on.servers.kill_redis()
        return self._on.servers.start_redis

    # ---- rules and keys

    def _change_rules(self, disturbance: Disturbance) -> None:
        self._change_rules_silently(disturbance)
        self._hint(disturbance)

    def _change_rules_silently(self, disturbance: Disturbance) -> None:
        self._on.rules.change(_drawn(GROUPS, disturbance.lot))

    def _hint(self, disturbance: Disturbance) -> None:
        self._on.rules.hint(_drawn(GROUPS, disturbance.lot))

    def _take_keys(self, disturbance: Disturbance) -> Undo:
        first = int(disturbance.lot * len(self._on.keyring))
        self._on.keyring.take_away(first, 1 + int(disturbance.second_lot * _MOST_KEYS_AWAY))
        return self._on.keyring.bring_back

    def _rotate_secret(self, disturbance: Disturbance) -> None:
        self._on.keyring.rotate(int(disturbance.lot * len(self._on.keyring)))


def _drawn(names: Sequence[str], lot: float) -> str:
    return names[int(lot * len(names))]
