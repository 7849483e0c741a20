"""Make a generation: its number, its birth, its fork."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from traptor.common.birth import NO_GENERATION, Birth
from traptor.common.errors import TraptorError
from traptor.common.logs.event import fields
from traptor.supervisor.connections.connection import Connection, WantedGeneration
from traptor.supervisor.connections.context import Context
from traptor.supervisor.connections.planning.roll import Roll
from traptor.supervisor.workers.generation import Generation
from traptor.supervisor.workers.leftovers import first_of, is_second
from traptor.supervisor.workers.states import GenerationState

log = logging.getLogger(__name__)


class Forks:
    """Forks workers that serve a connection, and drain workers, which deliver what dead ones left."""

    def __init__(self, context: Context, roll: Roll) -> None:
        self._context = context
        self._roll = roll
        self._starting: list[Generation] = []  # and some that have started

    def may_start_one_more(self) -> bool:
        """Tell whether fewer generations are starting than may at once."""
        self._starting = [g for g in self._starting if g.state is GenerationState.STARTING]
        return len(self._starting) < self._context.settings.supervisor.start_parallel

    def fork(self, c: Connection, now: float, soon: Iterable[str] = ()) -> Generation | None:
        """Return a new generation made from what is wanted; None, which is logged, when that fails.

        `soon`: connections that will need one, too.
        """
        assert c.wanted is not None
        return self._fork(c, c.wanted, now, soon, drains=False)

    def start_drain_workers(self, now: float) -> list[str]:
        """Start drain workers where dead generations left messages and no other generation will come.

        Return the connections that got a drain worker.
        """
        served = []
        for name in sorted(self._context.leftovers.due):
            c = self._roll.connection(name, now)
            if c is not None and not c.generations:
                self._context.leftovers.taken_care_of(name, now)
                self._start_drain_worker(c, now)
                served.append(name)
        return served

    def _start_drain_worker(self, c: Connection, now: float) -> None:
        generation = self._fork(c, self._roll.wanted_of_drain_worker(), now, (), drains=True)
        if generation is not None:
            generation.move(GenerationState.DRAINING)
            c.leaving.append(generation)

    def _fork(
        self, c: Connection, wanted: WantedGeneration, now: float, soon: Iterable[str], *, drains: bool
    ) -> Generation | None:
        try:
            # A drain worker is not a generation: it needs no number, and so no room on the disk for one.
            number = NO_GENERATION if drains else self._context.store.next_generation(c.name, soon)
            app = None if drains else self._context.app_of(c)
            pair = first_of(c.name) if is_second(c.name) else c.pair
            birth = Birth(
                c.name, number, c.group, wanted.rules, wanted.settings, drains, keys=wanted.keys, pair=pair
            )
            if app is not None:
                knowledge = app.knowledge
                # Rules that come with the birth need not be told again when their filters come.
                rules = knowledge.rules or wanted.rules
                keys = frozenset([rule.key for rule in rules])
                birth = replace(birth, rules=rules, filters=knowledge.meanings, keys=keys)
            generation = self._context.fleet.fork(birth, wanted.spec)
            generation.told = app.knowledge if app is not None else None
        except (OSError, TraptorError) as error:
            log.error("cannot fork a worker", extra=fields(connection=c.name, error=str(error)))
            return None
        self._starting.append(generation)
        generation.expected_from(self._context.run_clock.read(now))
        about = fields(connection=c.name, gen=number, pid=generation.pid, rules=len(birth.rules))
        log.info("drain worker forked" if drains else "worker forked", extra=about)
        return generation
