"""A master's steps without processes: real decisions, and a fleet that only obeys."""

from __future__ import annotations

import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from support.keypools import make_key, on_host
from traptor.common.birth import Birth
from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import load_settings
from traptor.common.messages import (
    Close,
    Connected,
    Disconnected,
    DisconnectKind,
    FromMaster,
    MayConnect,
    OutboxFull,
    OutboxTrouble,
    Ready,
)
from traptor.common.rules.rule import GroupId, Rule, fingerprint
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.connection import Connection, Wanted
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.outcomes import Outcomes
from traptor.supervisor.connections.reconcile import Reconciler
from traptor.supervisor.gaps.interval import instant
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.keys.pacer import Pacer
from traptor.supervisor.keys.pool import KeyPool, PoolLimits
from traptor.supervisor.workers.crashes import CrashBackoff, RestartLimits
from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.runclock import RunClock
from traptor.supervisor.workers.settings import worker_settings
from traptor.supervisor.workers.spec import Spec
from traptor.supervisor.workers.states import GenerationState

BORN_S_AGO = 55.0  # less than what makes a crash count as the first


def make_rules(group: str, *words: str) -> tuple[Rule, ...]:
    group_id = GroupId.parse(group)
    return tuple(Rule(f"traptor-{group}:{word}", word, group_id, (word,), b"{}") for word in words)


class ObedientFleet:
    """Workers that are nothing but their generations; `error` is what the next forks fail with."""

    def __init__(self) -> None:
        self.generations: tuple[Generation, ...] = ()
        self.sent: list[tuple[str, FromMaster]] = []
        self.error: Exception | None = None

    def fork(self, birth: Birth, spec: Spec) -> Generation:
        if self.error is not None:
            raise self.error
        # Old enough for whatever it says to have happened since.
        generation = Generation(birth, spec, born_at=time.monotonic() - BORN_S_AGO, pid=1)
        self.generations += (generation,)
        return generation

    def connect(self, g: Generation, message: FromMaster) -> None:
        self.sent.append((g.name, message))

    def close_stream(self, g: Generation) -> None:
        g.closing = True
        self.sent.append((g.name, Close()))

    def drain(self, g: Generation, deadline_s: float) -> None:
        if g.state is not GenerationState.DRAINING:
            g.move(GenerationState.DRAINING)
        g.ending = g.ending or Ending.DRAINED
        g.kill_at = time.monotonic() + deadline_s

    def put_down(self, g: Generation, ending: Ending) -> None:
        self.drain(g, 1.0)
        g.ending = ending

    def kill(self, g: Generation) -> None:
        g.killed = True

    def forget(self, g: Generation) -> None:
        self.generations = tuple(one for one in self.generations if one is not g)


class SteppedWorld:
    """Some keys and connections; `step` reconciles, and the other methods are what workers say."""

    def __init__(
        self, folder: Path, *keys: ApiKey, options: str = "", limits: PoolLimits | None = None
    ) -> None:
        ini = folder / "stepped.ini"
        ini.write_text(f"[traptor]\noutput = jsonl:{folder}\n{options}")
        self.settings = load_settings(ini)
        rng = random.Random(0)
        self.pool = KeyPool(limits or PoolLimits(), rng)
        self.set_keys(*keys)
        self.fleet = ObedientFleet()
        self.context = Context(
            settings=self.settings,
            pool=self.pool,
            pacer=Pacer(1e9),
            store=cast(Any, SimpleNamespace(next_generation=self._next, save_keys=lambda dump: None)),
            run_clock=RunClock(time.monotonic()),
            fleet=cast(Any, self.fleet),
            leftovers=cast(Any, SimpleNamespace(due=frozenset())),
            rng=rng,
        )
        self.planner: Any = SimpleNamespace(
            plan=lambda now: None, forget=lambda c: self.context.connections.pop(c.name)
        )
        self._number = 0
        self._agenda = Agenda()
        self._reconciler = Reconciler(self.context, self.planner, self._agenda)
        self.outcomes = Outcomes(self.context, lambda _name: None)

    def _next(self, _name: str) -> int:
        self._number += 1
        return self._number

    def set_keys(self, *keys: ApiKey) -> None:
        self.pool.replace(keys, time.monotonic(), on_host)

    def connection(self, name: str, *words: str, part: int = 1) -> Connection:
        """A connection that is wanted with a rule for each word."""
        group = name.partition(".")[0]
        backoffs = (CrashBackoff(RestartLimits(1.0, 60.0, 60.0), self.context.rng) for _ in range(2))
        timeline = GapTracker(name, instant(time.monotonic() - BORN_S_AGO))
        c = Connection(name, GroupId.parse(group), part, *backoffs, timeline)
        self.context.connections[name] = c
        self.want(c, *words)
        return c

    def want(self, c: Connection, *words: str) -> None:
        rules, settings = make_rules(str(c.group), *words), worker_settings(self.settings)
        c.wanted = Wanted(rules, settings, Spec(fingerprint(rules), settings.fingerprint, 0))

    def step(self) -> float | None:
        self._agenda.look_at_all()
        return self._reconciler.reconcile().next_at

    # ---- what workers say

    def serving(self, c: Connection) -> Generation:
        assert c.serving is not None
        return c.serving

    def ready(self, g: Generation) -> None:
        """Its matcher is built, and it asks."""
        self.outcomes.on_message(g, Ready())
        self.ask(g)

    def ask(self, g: Generation) -> None:
        self.outcomes.on_message(g, MayConnect())
        self.step()

    def connected(self, g: Generation, seconds_ago: float = 0.0) -> None:
        self.outcomes.on_message(g, Connected(time.monotonic() - seconds_ago))
        self.step()

    def outbox_full(self, g: Generation) -> None:
        self.outcomes.on_message(g, OutboxFull(OutboxTrouble.LIMIT))
        self.step()

    def ended(self, g: Generation, kind: DisconnectKind, status: int | None = None) -> None:
        """Its stream ended, or did not open; it asks again."""
        now, streamed = time.monotonic(), g.streams
        self.outcomes.on_message(
            g, Disconnected(kind=kind, at=now, last_byte_at=now, streamed=streamed, status=status)
        )
        self.ask(g)

    def refused(self, g: Generation, status: int) -> None:
        """The server answered its connect with another status than 200; it asks again."""
        self.ended(g, DisconnectKind.HTTP, status)

    def gone(self, g: Generation, code: int = 1) -> None:
        """Its process ended."""
        self.fleet.forget(g)
        g.move(GenerationState.GONE)
        self.outcomes.on_gone(g, code)
        self.step()

    def start(self, c: Connection) -> Generation:
        """Have it forked, ready, and asking."""
        self.step()
        self.ready(self.serving(c))
        return self.serving(c)

    def stream(self, c: Connection, seconds_ago: float = 0.0) -> Generation:
        """Have it stream."""
        g = self.start(c)
        self.connected(g, seconds_ago)
        return g


A, B = make_key("a"), make_key("b")
