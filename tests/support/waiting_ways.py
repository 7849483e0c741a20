"""Each way in which a connection can wait without a stream, brought about."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from support.paperapp import PaperApp, PaperApps
from support.stepping import A, B, SteppedWorld
from traptor.common.messages import DisconnectKind, Ready
from traptor.supervisor.apps.hold import Hold, HoldKind
from traptor.supervisor.connections.connection import Connection
from traptor.supervisor.connections.waits import WaitKind
from traptor.supervisor.gaps.interval import GapCause
from traptor.supervisor.keys.conduct.failures import Failure, FailureKind
from traptor.supervisor.workers.generation import Ending

Prepare = Callable[[SteppedWorld, Connection], None]


def no_key(world: SteppedWorld, _c: Connection) -> None:
    world.set_keys()
    world.step()


def key_refused(world: SteppedWorld, c: Connection) -> None:
    world.refused(world.start(c), 401)


def all_keys_known_to_be_refused(world: SteppedWorld, _c: Connection) -> None:
    """As after a restart: not this master asked."""
    world.pool.records.failed(A.key_id, world.now, Failure(FailureKind.UNAUTHORIZED))
    world.step()


def rules_refused(world: SteppedWorld, c: Connection) -> None:
    world.refused(world.start(c), 413)


def crashed(world: SteppedWorld, c: Connection) -> None:
    for _ in range(2):
        world.step()
        world.gone(world.serving(c))


def hung(world: SteppedWorld, c: Connection) -> None:
    for _ in range(2):
        world.step()
        world.serving(c).ending = Ending.HUNG
        world.gone(world.serving(c))


def no_worker(world: SteppedWorld, _c: Connection) -> None:
    world.fleet.error = OSError("no more processes")
    for _ in range(3):
        world.step()


def others_start(world: SteppedWorld, c: Connection) -> None:
    world.context.settings = replace(
        world.settings, supervisor=world.settings.supervisor.model_copy(update={"start_parallel": 1})
    )
    del world.context.connections[c.name]
    world.connection("follow:0", "1", "2")
    world.context.connections[c.name] = c
    world.set_keys(A, B)
    world.step()


def paced(world: SteppedWorld, c: Connection) -> None:
    world.context.pacer.connect_rate = 0.01
    world.context.pacer.take(None, world.now)
    world.start(c)


def outbox_full(world: SteppedWorld, c: Connection) -> None:
    world.step()
    world.outcomes.on_message(world.serving(c), Ready())
    world.outbox_full(world.serving(c))


def step_failed(world: SteppedWorld, _c: Connection) -> None:
    world.fleet.error = RuntimeError("a bug")
    world.step()


def spent(world: SteppedWorld, c: Connection) -> None:
    for _ in range(5):
        world.pool.records.spend(A.key_id, world.now)
    world.start(c)


def spent_after_a_close(world: SteppedWorld, c: Connection) -> None:
    g = world.stream(c, seconds_ago=50)
    for _ in range(4):
        world.pool.records.spend(A.key_id, world.now)
    world.ended(g, DisconnectKind.SERVER_CLOSE)


def resting(failure: FailureKind) -> Prepare:
    def prepare(world: SteppedWorld, c: Connection) -> None:
        """The key rests already when the connection starts with it."""
        world.pool.records.failed(A.key_id, world.now, Failure(failure, asked_s=100.0))
        world.start(c)

    return prepare


def rests_though_it_streamed(world: SteppedWorld, c: Connection) -> None:
    now = world.now
    world.pool.records.failed(A.key_id, now - 50, Failure(FailureKind.RATE_LIMITED, asked_s=1000.0))
    world.pool.records.connected(A.key_id, now - 40)
    world.start(c)


def stopped(world: SteppedWorld, c: Connection) -> None:
    """The operator stops a streaming connection."""
    g = world.stream(c)
    c.is_stopped = True
    world.step()
    world.ended(g, DisconnectKind.OWN_CLOSE)
    world.gone(g, 0)


def no_app(world: SteppedWorld, c: Connection) -> None:
    c.app = A.key_id
    world.start(c)


def held(kind: HoldKind) -> Prepare:
    def prepare(world: SteppedWorld, c: Connection) -> None:
        """Its app keeps its stream from opening."""
        c.app = A.key_id
        until = time.time() + 100.0
        world.context.apps = PaperApps({A.key_id: PaperApp(held=Hold(kind, "the app's reason", until))})
        world.step()
        if c.serving is not None:  # else it would have nothing to match by
            world.start(c)

    return prepare


WAYS_TO_WAIT: list[tuple[Prepare, WaitKind, GapCause]] = [
    (no_key, WaitKind.NO_KEY, GapCause.NO_KEY),
    (key_refused, WaitKind.KEYS_REFUSED, GapCause.KEY_REFUSED),
    (all_keys_known_to_be_refused, WaitKind.KEYS_REFUSED, GapCause.KEY_REFUSED),
    (rules_refused, WaitKind.RULES_REFUSED, GapCause.RULES_REFUSED),
    (crashed, WaitKind.CRASHED, GapCause.CRASH),
    (hung, WaitKind.CRASHED, GapCause.HUNG),
    (no_worker, WaitKind.NO_WORKER, GapCause.CRASH),
    (others_start, WaitKind.TURN, GapCause.START),
    (paced, WaitKind.PACED, GapCause.START),
    (outbox_full, WaitKind.OUTBOX_FULL, GapCause.OUTBOX_FULL),
    (step_failed, WaitKind.STEP_FAILED, GapCause.CRASH),
    (spent, WaitKind.BUDGET, GapCause.BUDGET),
    (spent_after_a_close, WaitKind.BUDGET, GapCause.BUDGET),
    (resting(FailureKind.NETWORK), WaitKind.NETWORK, GapCause.NETWORK),
    (resting(FailureKind.HTTP), WaitKind.SERVER_ERRORS, GapCause.NETWORK),
    (resting(FailureKind.REFUSED), WaitKind.REQUEST_REFUSED, GapCause.RULES_REFUSED),
    (resting(FailureKind.CLOSED), WaitKind.SHORT_STREAMS, GapCause.SERVER_CLOSE),
    (resting(FailureKind.BROKEN), WaitKind.BROKEN_STREAMS, GapCause.NETWORK),
    (resting(FailureKind.RATE_LIMITED), WaitKind.RATE_LIMITED, GapCause.RATE_LIMITED),
    (resting(FailureKind.SLOT_HELD), WaitKind.SLOT_HELD, GapCause.SLOT_HELD),
    (no_app, WaitKind.NO_APP, GapCause.START),
    (held(HoldKind.NO_BEARER), WaitKind.NO_BEARER, GapCause.START),
    (held(HoldKind.BEARER_REFUSED), WaitKind.BEARER_REFUSED, GapCause.KEY_REFUSED),
    (held(HoldKind.OUT_OF_CREDIT), WaitKind.OUT_OF_CREDIT, GapCause.COST),
    (held(HoldKind.CAPPED), WaitKind.CAPPED, GapCause.COST),
    (held(HoldKind.FOREIGN_FILTERS), WaitKind.FOREIGN_FILTERS, GapCause.FOREIGN_FILTERS),
    (held(HoldKind.SYNCING), WaitKind.SYNCING, GapCause.START),
    (held(HoldKind.X_AWAY), WaitKind.X_AWAY, GapCause.NETWORK),
    (held(HoldKind.RATE_LIMITED), WaitKind.RATE_LIMITED, GapCause.RATE_LIMITED),
    (held(HoldKind.NO_FILTERS), WaitKind.NO_FILTERS, GapCause.RULES_REFUSED),
    (rests_though_it_streamed, WaitKind.RESTS, GapCause.START),
    (stopped, WaitKind.STOPPED, GapCause.OPERATOR_STOP),
]
