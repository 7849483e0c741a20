"""The worker processes: the only place that forks, orders, and ends them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Protocol

import msgspec

from traptor.common.birth import Birth
from traptor.common.birthframe import birth_frame, rules_of
from traptor.common.errors import ProtocolError
from traptor.common.knowledge import Knowledge
from traptor.common.logs.event import fields
from traptor.common.logs.worker import receiver_of_records
from traptor.common.messages import (
    Close,
    Connect,
    Drain,
    FromMaster,
    FromWorker,
    RecoverPiece,
    Reopen,
    SearchPiece,
    TakeSample,
)
from traptor.common.pieces import change_to, cut
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.state.roster import Roster, RosterEntry, encoded
from traptor.supervisor.workers.channel import Channel
from traptor.supervisor.workers.forking.keeper import ForkerKeeper
from traptor.supervisor.workers.generation import Ending, Generation
from traptor.supervisor.workers.process import WorkerProcess
from traptor.supervisor.workers.spec import Spec
from traptor.supervisor.workers.states import GenerationState
from traptor.supervisor.workers.switchboard import Switchboard

log = logging.getLogger(__name__)

# Time for a worker to end after TERM, and after its drain's deadline.
GRACE_S = 2.0
_ROSTER_DELAY_S = 0.1


class FleetEvents(Protocol):
    """Receives what workers say and do."""

    def on_message(self, g: Generation, message: FromWorker) -> None:
        """Handle a worker's message. Raises ProtocolError when its state does not allow it."""

    def on_fault(self, g: Generation, what: str) -> None:
        """Handle a violation of the protocol by a worker."""

    def on_gone(self, g: Generation, code: int | None) -> None:
        """Handle the end of a worker's process, with its exit code if known."""


@dataclass(frozen=True, slots=True)
class _Member:
    process: WorkerProcess
    channel: Channel
    entry: msgspec.Raw  # in the roster


class Fleet:
    """All worker processes of this master."""

    def __init__(self, forkers: ForkerKeeper, roster: Roster, workers_lock_fd: int) -> None:
        self._forkers = forkers
        self._roster = roster
        self._workers_lock_fd = workers_lock_fd
        self._events: FleetEvents
        self._switchboard = Switchboard()
        self._logs = receiver_of_records()
        self._members: dict[str, tuple[Generation, _Member]] = {}
        self._listing: asyncio.TimerHandle | None = None  # the roster is to be written

    def report_to(self, events: FleetEvents) -> None:
        """Report everything about the workers to `events`; call this before the first fork."""
        self._events = events

    def hear(self) -> None:
        """Take all reports until now: what is urgent comes by itself, and the others wait to be heard."""
        self._switchboard.hear()

    def close(self) -> None:
        """Release what all workers shared; they are gone."""
        self._switchboard.close()

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Every generation whose process is not yet gone."""
        return tuple(generation for generation, _ in self._members.values())

    def fork(self, birth: Birth, spec: Spec) -> Generation:
        """Start a worker, in the state STARTING. Raises OSError when this host has no room for one."""
        greeting = birth_frame(birth)
        bell = self._switchboard.bell
        forker, kept = self._forkers.forker(), {self._workers_lock_fd}
        process = WorkerProcess.fork(forker, birth, self._logs, bell, kept)
        generation = Generation(birth, spec, born_at=time.monotonic(), pid=process.pid)
        with ExitStack() as undo:
            undo.callback(process.abandon)
            undo.callback(process.sock.close)
            channel = Channel(
                process.sock,
                self._switchboard,
                lambda message: self._events.on_message(generation, message),
                lambda error: self._events.on_fault(generation, str(error)),
                greeting,
            )
            undo.callback(channel.close)
            asyncio.get_running_loop().add_reader(process.pidfd, self._on_exit, generation)
            undo.pop_all()
        entry = RosterEntry(process.pid, process.created_at, birth.connection, birth.generation)
        self._members[birth.name] = (generation, _Member(process, channel, encoded(entry)))
        for piece in rules_of(birth):
            self._send(generation, piece)
        self._list_soon()
        return generation

    def connect(self, generation: Generation, message: Connect) -> None:
        """Permit one connect. Before a worker gets a key, it is in the roster."""
        if self._listing is not None:
            self._write_roster()
        self._send(generation, message)

    def close_stream(self, generation: Generation, cause: GapCause) -> None:
        """Make it close its stream and wait in READY; the gap has that cause."""
        generation.told_to_close(cause)
        self._send(generation, Close())

    def tell_rules(self, generation: Generation, knowledge: Knowledge) -> None:
        """Change what it matches by, while its stream goes on."""
        change = change_to(knowledge, generation.knowledge)
        for piece in cut(generation.told_of(knowledge), change):
            self._send(generation, piece)

    def fetch(self, generation: Generation, piece: SearchPiece | RecoverPiece) -> None:
        """Make it fetch a piece of a gap, while its stream goes on."""
        self._send(generation, piece)

    def drain(self, generation: Generation, deadline_s: float) -> None:
        """Make it close its stream, deliver what it holds, and end; KILL follows if it does not."""
        now = time.monotonic()
        generation.told_to_drain(now + deadline_s + min(GRACE_S, deadline_s))
        self._send(generation, Drain(deadline_s))

    def put_down(self, generation: Generation, ending: Ending) -> None:
        """End a worker that hangs: its stacks into its log, TERM, and KILL after a grace."""
        generation.put_down(ending, time.monotonic() + GRACE_S)
        self._signal(generation, signal.SIGUSR2)
        self._signal(generation, signal.SIGTERM)

    def kill(self, generation: Generation) -> None:
        """Kill it."""
        generation.was_killed()
        self._signal(generation, signal.SIGKILL)

    def kill_by(self, at: float) -> None:
        """Have draining workers killed at `at`, if that is earlier than planned."""
        for generation in self.generations:
            generation.kill_by(at)

    def take_sample(self, generation: Generation) -> None:
        """Make it send the tweets that passed since the last time; it keeps further ones for some seconds."""
        if generation.name in self._members:
            self._send(generation, TakeSample())

    def reopen_logs(self) -> None:
        """Make every worker reopen its log files."""
        for generation in self.generations:
            self._send(generation, Reopen())

    def _send(self, generation: Generation, message: FromMaster) -> None:
        _, member = self._members[generation.name]
        try:
            member.channel.send(message)
        except ProtocolError as error:
            self._events.on_fault(generation, str(error))

    def _signal(self, generation: Generation, number: signal.Signals) -> None:
        _, member = self._members[generation.name]
        member.process.send_signal(number)

    def _on_exit(self, generation: Generation) -> None:
        _, member = self._members[generation.name]
        asyncio.get_running_loop().remove_reader(member.process.pidfd)
        member.channel.read_rest()
        member.channel.close()
        code = member.process.reap()
        del self._members[generation.name]
        generation.move(GenerationState.GONE)
        if self._members:
            self._list_soon()
        else:  # the master may be about to end
            self._write_roster()
        try:
            self._events.on_gone(generation, code)
        except Exception:
            log.exception("a worker's exit could not be handled", extra=fields(connection=generation.name))

    def _list_soon(self) -> None:
        """Write the roster a little later, once for all changes until then: nothing has to wait for it.

        It does no harm to list a dead process meanwhile, nor not to list one that has no key yet.
        """
        if self._listing is None:
            self._listing = asyncio.get_running_loop().call_later(_ROSTER_DELAY_S, self._write_roster)

    def _write_roster(self) -> None:
        if self._listing is not None:
            self._listing.cancel()
            self._listing = None
        try:
            self._roster.write(member.entry for _, member in self._members.values())
        except OSError as error:
            # run_dir is full or gone: the parent-death signal still ends the workers of a dead master.
            with suppress(OSError):  # stderr may be on the same disk
                os.write(2, f"traptor: workers.json cannot be written: {error.strerror}\n".encode())
