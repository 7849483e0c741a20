"""A master's steps without processes: real decisions, and a fleet that only obeys."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from support.keypools import make_key, on_host
from traptor.common.birth import Birth
from traptor.common.config.keys.key import ApiKey
from traptor.common.config.settings import Settings, load_settings
from traptor.common.knowledge import Knowledge
from traptor.common.messages import (
    Connect,
    Connected,
    Disconnected,
    DisconnectKind,
    FromWorker,
    MayConnect,
    OutboxFull,
    OutboxTrouble,
    Ready,
)
from traptor.common.rules.rule import GroupId, Limits, Rule, fingerprint
from traptor.supervisor.connections.agenda import Agenda
from traptor.supervisor.connections.connection import Connection, WantedGeneration
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.outcomes import Outcomes
from traptor.supervisor.connections.planning.byparts import PartPlanner
from traptor.supervisor.connections.planning.planner import Planner
from traptor.supervisor.connections.planning.roll import Roll
from traptor.supervisor.connections.reconcile import Reconciler, StepResult
from traptor.supervisor.gaps.interval import GapCause, instant
from traptor.supervisor.gaps.timeline import GapTracker
from traptor.supervisor.keys.conduct.limits import PoolLimits
from traptor.supervisor.keys.pacer import Pacer
from traptor.supervisor.keys.pool import KeyPool
from traptor.supervisor.reload import pool_limits
from traptor.supervisor.rules.groups import Groups
from traptor.supervisor.rules.snapshot import Snapshot
from traptor.supervisor.state.stops import Stops
from traptor.supervisor.workers.crashes import CrashBackoff, RestartLimits
from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.runclock import RunClock
from traptor.supervisor.workers.settings import worker_settings
from traptor.supervisor.workers.spec import Spec
from traptor.supervisor.workers.states import GenerationState

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
BORN_S_AGO = 55.0  # less than what makes a crash count as the first


def make_rules(group: str, *words: str) -> tuple[Rule, ...]:
    group_id = GroupId.parse(group)
    return tuple(Rule(f"traptor-{group}:{word}", word, group_id, (word,), b"{}") for word in words)


class PaperFleet:
    """Workers that are nothing but their generations; `error` is what the next forks fail with."""

    def __init__(self, clock: Callable[[], float], age_s: float) -> None:
        self._clock = clock
        self._age_s = age_s  # of every worker when it is forked
        self.generations: list[Generation] = []
        self.told: list[tuple[str, str]] = []  # (what, generation)
        self.error: Exception | None = None

    def hear(self) -> None:
        """They say nothing by themselves."""

    def fork(self, birth: Birth, spec: Spec) -> Generation:
        if self.error is not None:
            raise self.error
        pid = 1_000 + len(self.told)
        generation = Generation(birth, spec, born_at=self._clock() - self._age_s, pid=pid)
        self.generations.append(generation)
        self._tell("fork", generation)
        return generation

    def connect(self, g: Generation, _message: Connect) -> None:
        self._tell("connect", g)

    def close_stream(self, g: Generation, cause: GapCause) -> None:
        g.told_to_close(cause)
        self._tell("close", g)

    def tell_rules(self, g: Generation, knowledge: Knowledge) -> None:
        g.told_of(knowledge)
        self._tell("rules", g)

    def drain(self, g: Generation, deadline_s: float) -> None:
        g.told_to_drain(self._clock() + deadline_s)
        self._tell("drain", g)

    def put_down(self, g: Generation, ending: Ending) -> None:
        g.put_down(ending, self._clock() + 1.0)
        self._tell("put down", g)

    def kill(self, g: Generation) -> None:
        g.was_killed()
        self._tell("kill", g)

    def _tell(self, what: str, g: Generation) -> None:
        self.told.append((what, g.name))


@dataclass
class _Numbers:
    """What a store keeps, forgotten but for the numbers of generations."""

    last: dict[str, int] = field(default_factory=dict)

    def next_generation(self, connection: str, soon: Iterable[str] = ()) -> int:
        self.last[connection] = self.last.get(connection, 0) + 1
        return self.last[connection]

    def save_keys(self, _dump: dict[str, Any]) -> None:
        """Forget it."""

    def load_stops(self) -> dict[str, float]:
        return {}

    def save_stop(self, _connection: str, _since: float) -> None:
        """Forget it."""

    def forget_stop(self, _connection: str) -> None:
        """Forget it."""


class PaperWorld:
    """Keys, connections and the step, without a process, a file or Redis, by the clock `now`.

    The methods under "what workers say" are no steps by themselves.
    """

    def __init__(
        self, settings: Settings, keys: Iterable[ApiKey], limits: PoolLimits, began_at: float, age_s: float
    ) -> None:
        self.now = began_at
        self.settings = settings
        self.fleet = PaperFleet(self.clock, age_s)
        self.pool = KeyPool(limits, random.Random(0))
        self.set_keys(*keys)
        self.context = Context(
            settings=settings,
            pool=self.pool,
            pacer=Pacer(settings.twitter.connect_rate),
            store=cast(Any, _Numbers()),
            run_clock=RunClock(began_at),
            fleet=cast(Any, self.fleet),
            leftovers=cast(Any, SimpleNamespace(due=frozenset(), found={}, tries={})),
            rng=random.Random(0),
            stops=Stops(cast(Any, _Numbers())),
        )
        self.agenda = Agenda()
        self.planner = self.make_planner()
        self.reconciler = Reconciler(self.context, self.planner, self.agenda, self.clock)
        self.outcomes = Outcomes(self.context, lambda name: self.agenda.look_at([name]), self.clock)

    def make_planner(self) -> Planner:
        raise NotImplementedError

    def clock(self) -> float:
        return self.now

    @property
    def connections(self) -> dict[str, Connection]:
        return self.context.connections

    def set_keys(self, *keys: ApiKey) -> None:
        self.pool.replace(keys, self.now, on_host)

    # ---- what workers say

    def say(self, g: Generation, message: FromWorker) -> None:
        self.outcomes.on_message(g, message)

    def ready(self, g: Generation) -> None:
        """Its matcher is built, and it asks."""
        self.say(g, Ready())
        self.ask(g)

    def ask(self, g: Generation) -> None:
        self.say(g, MayConnect())

    def connected(self, g: Generation, seconds_ago: float = 0.0) -> None:
        self.say(g, Connected(at=self.now - seconds_ago))

    def disconnected(
        self, g: Generation, kind: DisconnectKind, status: int | None = None, problem: str = ""
    ) -> None:
        """Its stream ended, or did not open; it asks again where it may."""
        now, streamed = self.now, g.streams
        message = Disconnected(
            kind=kind, status=status, at=now, last_byte_at=now, streamed=streamed, problem=problem
        )
        self.say(g, message)
        if g.state is GenerationState.READY:
            self.ask(g)

    def end(self, g: Generation, code: int = 1) -> None:
        """Its process ends."""
        self.fleet.generations.remove(g)
        g.move(GenerationState.GONE)
        self.outcomes.on_gone(g, code)

    # ---- steps

    def step(self) -> StepResult:
        return self.reconciler.reconcile()

    def settle(self) -> list[StepResult]:
        """Steps as the master's loop makes them, until nothing is due now."""
        steps = [self.step()]
        while (due := steps[-1].next_at) is not None and due <= self.now:
            assert len(steps) < 50, "steps without an end"
            steps.append(self.step())
        return steps


class PlannedWorld(PaperWorld):
    """One whose connections follow from rules, as `set_rules` says that they are in Redis."""

    def __init__(
        self,
        folder: Path,
        *,
        keys: int,
        max_connections: int = 1,
        supervisor: str = "",
        twitter: str = "",
    ) -> None:
        ini = folder / "traptor.ini"
        ini.write_text(INI.format(folder=folder, supervisor=supervisor, twitter=twitter))
        settings = load_settings(ini)
        configured = [make_key(f"k{number}", max_connections=max_connections) for number in range(keys)]
        super().__init__(settings, configured, pool_limits(settings), began_at=1_000.0, age_s=0.0)

    def make_planner(self) -> Planner:
        self.groups = Groups(self.context)
        return PartPlanner(self.context, self.groups, Roll(self.context, GapTracker))

    def set_rules(self, group: str, numbers: range) -> None:
        """Have a look at Redis find these rules of one value each, and no others of the group."""
        group_id = GroupId.parse(group)
        rules = make_rules(group, *map(str, numbers))
        self.groups.hint(group_id)
        start = replace(
            self.groups.begin_look({group_id}, is_of_all=False),
            limits=Limits(follow=5, track=5, locations=5),
        )
        self.groups.take_look(start, {group_id: Snapshot.of(group_id, rules, self.now)}, self.now)
        self.agenda.look_at_all()


class SteppedWorld(PaperWorld):
    """One whose connections the test plans itself; a look at all connections follows whatever happens."""

    def __init__(
        self, folder: Path, *keys: ApiKey, options: str = "", limits: PoolLimits | None = None
    ) -> None:
        ini = folder / "stepped.ini"
        ini.write_text(f"[traptor]\noutput = jsonl:{folder}\n{options}")
        settings = load_settings(ini)
        # Workers are old enough for whatever they say to have happened since.
        super().__init__(settings, keys, limits or PoolLimits(), time.monotonic(), BORN_S_AGO)
        self.context.pacer.connect_rate = 1e18

    def make_planner(self) -> Planner:
        roll = SimpleNamespace(forget=lambda c: self.context.connections.pop(c.name))
        planner = SimpleNamespace(plan=lambda now: None, roll=roll)
        return cast(Planner, planner)

    def connection(self, name: str, *words: str, part: int = 1) -> Connection:
        """A connection that is wanted with a rule for each word."""
        group = name.partition(".")[0]
        backoffs = (CrashBackoff(RestartLimits(1.0, 60.0, 60.0), self.context.rng) for _ in range(2))
        timeline = GapTracker(name, instant(self.now - BORN_S_AGO))
        c = Connection(name, GroupId.parse(group), part, *backoffs, timeline)
        self.connections[name] = c
        self.want(c, *words)
        return c

    def want(self, c: Connection, *words: str) -> None:
        rules, settings = make_rules(str(c.group), *words), worker_settings(self.settings)
        spec = Spec(fingerprint(rules), settings.fingerprint, 0)
        c.wanted = WantedGeneration(rules, settings, spec, frozenset(rule.key for rule in rules))

    def step(self) -> StepResult:
        self.agenda.look_at_all()
        return super().step()

    def after(self, seconds: float) -> None:
        """Let time pass, in which the workers say that they live, and look."""
        self.now += seconds
        self.context.run_clock.tick(self.now)
        for g in self.fleet.generations:
            g.expected_from(self.context.run_clock.read(self.now))
        self.step()

    # ---- what workers say, and a step

    def ask(self, g: Generation) -> None:
        super().ask(g)
        self.step()

    def connected(self, g: Generation, seconds_ago: float = 0.0) -> None:
        super().connected(g, seconds_ago)
        self.step()

    def outbox_full(self, g: Generation) -> None:
        self.say(g, OutboxFull(OutboxTrouble.LIMIT))
        self.step()

    def ended(self, g: Generation, kind: DisconnectKind, status: int | None = None) -> None:
        """Its stream ended, or did not open; it asks again."""
        self.disconnected(g, kind, status)
        self.step()

    def refused(self, g: Generation, status: int) -> None:
        """The server answered its connect with another status than 200; it asks again."""
        self.ended(g, DisconnectKind.HTTP, status)

    def gone(self, g: Generation, code: int = 1) -> None:
        """Its process ended."""
        self.end(g, code)
        self.step()

    def serving(self, c: Connection) -> Generation:
        assert c.serving is not None
        return c.serving

    def successor(self, c: Connection) -> Generation:
        assert c.successor is not None
        return c.successor

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

    def refresh(self, c: Connection, *words: str) -> Generation:
        """Have other rules wanted, and its successor forked, ready, and asking."""
        self.want(c, *words)
        self.step()
        self.ready(self.successor(c))
        return self.successor(c)


A, B = make_key("a"), make_key("b")
