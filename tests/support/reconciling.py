"""A reconcile step over workers that exist only on paper, by a clock that the test moves."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from support.keypools import make_key
from traptor.common.birth import Birth
from traptor.common.config.settings import load_settings
from traptor.common.messages import (
    Connect,
    Connected,
    Disconnected,
    DisconnectKind,
    FromWorker,
    MayConnect,
    Ready,
)
from traptor.common.rules.rule import GroupId, Limits, Rule
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.outcomes import Outcomes
from traptor.supervisor.connections.planner import Planner
from traptor.supervisor.connections.reconcile import Reconciler, Step
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.keys.pacer import Pacer
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.reload import pool_limits
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.runclock import RunClock
from traptor.supervisor.workers.spec import Spec
from traptor.supervisor.workers.states import GenerationState

BEGAN_AT = 1_000.0
INI = """
[traptor]
output = jsonl:-
[supervisor]
run_dir = {folder}/run
state_dir = {folder}/state
log_dir = {folder}/log
{supervisor}
[twitter]
{twitter}
"""


class PaperFleet:
    """Notes what real workers would be told."""

    def __init__(self) -> None:
        self.generations: list[Generation] = []
        self.told: list[tuple[str, str]] = []  # (what, generation)

    def fork(self, birth: Birth, spec: Spec) -> Generation:
        g = Generation(birth, spec, born_at=time.monotonic(), pid=1_000 + len(self.told))
        self.generations.append(g)
        self._tell("fork", g)
        return g

    def connect(self, g: Generation, _message: Connect) -> None:
        self._tell("connect", g)

    def close_stream(self, g: Generation) -> None:
        g.closing = True
        self._tell("close", g)

    def drain(self, g: Generation, deadline_s: float) -> None:
        if g.state is not GenerationState.DRAINING:
            g.move(GenerationState.DRAINING)
        g.ending = g.ending or Ending.DRAINED
        g.kill_at = time.monotonic() + deadline_s
        self._tell("drain", g)

    def put_down(self, g: Generation, ending: Ending) -> None:
        g.ending = ending
        self.kill(g)

    def kill(self, g: Generation) -> None:
        g.kill_at, g.killed = None, True
        self._tell("kill", g)

    def _tell(self, what: str, g: Generation) -> None:
        self.told.append((what, g.name))


@dataclass
class _Numbers:
    last: dict[str, int] = field(default_factory=dict)

    def next_generation(self, connection: str) -> int:
        self.last[connection] = self.last.get(connection, 0) + 1
        return self.last[connection]

    def save_keys(self, _dump: dict[str, Any]) -> None:
        """Forget it."""


class PaperMaster:
    """Groups, keys and the step, without a process, a file or Redis."""

    def __init__(
        self,
        folder: Path,
        patch: pytest.MonkeyPatch,
        *,
        keys: int,
        max_connections: int = 1,
        supervisor: str = "",
        twitter: str = "",
    ) -> None:
        self.now = BEGAN_AT
        patch.setattr(time, "monotonic", lambda: self.now)
        ini = folder / "traptor.ini"
        ini.write_text(INI.format(folder=folder, supervisor=supervisor, twitter=twitter))
        settings = load_settings(ini)
        self.fleet = PaperFleet()
        self.pool = KeyPool(pool_limits(settings), random.Random(0))
        configured = [make_key(f"k{number}", max_connections=max_connections) for number in range(keys)]
        self.pool.replace(configured, self.now, lambda _address: True)
        self.context = Context(
            settings=settings,
            pool=self.pool,
            pacer=Pacer(settings.twitter.connect_rate),
            store=cast(Any, _Numbers()),
            run_clock=RunClock(self.now),
            fleet=cast(Any, self.fleet),
            leftovers=cast(Any, SimpleNamespace(due=frozenset())),
            rng=random.Random(0),
        )
        self.agenda = Agenda()
        self.groups = Groups(self.context)
        self.planner = Planner(self.context, self.groups, GapTracker)
        self.reconciler = Reconciler(self.context, self.planner, self.agenda)
        self.outcomes = Outcomes(self.context, lambda name: self.agenda.look_at([name]))
        self.known: dict[GroupId, Snapshot] = {}

    @property
    def connections(self) -> dict[str, Connection]:
        return self.context.connections

    # ---- what happens

    def set_rules(self, group: str, numbers: range) -> None:
        """Have a look at Redis find these rules of one value each, and no others of the group."""
        group_id = GroupId.parse(group)
        names = [f"{number}" for number in numbers]
        rules = [Rule(f"traptor-{group}:{name}", name, group_id, (name,), b"{}") for name in names]
        self.known[group_id] = Snapshot.of(group_id, rules, self.now)
        hinted = frozenset({group_id})
        self.groups.hint(group_id)
        self.groups.take_look(
            {group_id: self.known[group_id]},
            hinted,
            self.groups.tickets(),
            Limits(follow=5, track=5, locations=5),
            everything=False,
            now=self.now,
        )
        self.agenda.look_at_all()

    def say(self, g: Generation, message: FromWorker) -> None:
        self.outcomes.on_message(g, message)

    def end(self, g: Generation, code: int = 1) -> None:
        """The worker's process ends."""
        self.fleet.generations.remove(g)
        g.move(GenerationState.GONE)
        self.outcomes.on_gone(g, code)

    def ready(self, g: Generation) -> None:
        self.say(g, Ready())
        self.say(g, MayConnect())

    def connected(self, g: Generation) -> None:
        self.say(g, Connected(at=self.now))

    def disconnected(self, g: Generation, kind: DisconnectKind, status: int | None = None) -> None:
        now, streamed = self.now, g.streams
        self.say(g, Disconnected(kind=kind, status=status, at=now, last_byte_at=now, streamed=streamed))
        if g.state is GenerationState.READY:
            self.say(g, MayConnect())

    # ---- steps

    def step(self) -> Step:
        return self.reconciler.reconcile()

    def settle(self) -> list[Step]:
        """Steps as the master's loop makes them, until nothing is due now."""
        steps = [self.step()]
        while (due := steps[-1].next_at) is not None and due <= self.now:
            assert len(steps) < 50, "steps without an end"
            steps.append(self.step())
        return steps
